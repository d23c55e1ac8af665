/* matmul.h by OpenBLAS. */
#include <cblas.h>
#include <stdio.h>

#include "matmul.h"

const char *matmul_open(int threads) {
	static char text[256];
	openblas_set_num_threads(threads);
	/* The configuration starts with name and version and goes on with build flags. */
	char name[32] = "OpenBLAS", version[32] = "";
	sscanf(openblas_get_config(), "%31s %31s", name, version);
	snprintf(text, sizeof text, "%s %s, %s kernels", name, version, openblas_get_corename());
	return text;
}

void matmul_nt(int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float *c, int ldc) {
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, alpha, a, lda, b, ldb, 0, c, ldc);
}

void matmul_nn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
}

void matvec_n(int n, int k, float alpha, const float *b, int ldb, const float *x, float *y) {
	cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, alpha, b, ldb, x, 1, 0, y, 1);
}

void matvec_t(int n, int k, const float *b, int ldb, const float *x, float beta, float *y) {
	cblas_sgemv(CblasRowMajor, CblasTrans, n, k, 1, b, ldb, x, 1, beta, y, 1);
}
