/* matmul.h as plain loops, for a test of attention.c that needs no library. */
#include "matmul.h"

const char *matmul_open(int threads) {
	(void)threads;
	return "plain loops";
}

void matmul_nt(int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float *c, int ldc) {
	for (int i = 0; i < m; i++) matvec_n(n, k, alpha, b, ldb, a + i * lda, c + i * ldc);
}

void matmul_nn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
	for (int i = 0; i < m; i++) matvec_t(k, n, b, ldb, a + i * lda, beta, c + i * ldc);
}

void matvec_n(int n, int k, float alpha, const float *b, int ldb, const float *x, float *y) {
	for (int j = 0; j < n; j++) {
		float sum = 0;
		for (int i = 0; i < k; i++) sum += b[j * ldb + i] * x[i];
		y[j] = alpha * sum;
	}
}

void matvec_t(int n, int k, const float *b, int ldb, const float *x, float beta, float *y) {
	for (int i = 0; i < k; i++) {
		float sum = 0;
		for (int j = 0; j < n; j++) sum += b[j * ldb + i] * x[j];
		y[i] = beta == 0 ? sum : sum + beta * y[i];
	}
}
