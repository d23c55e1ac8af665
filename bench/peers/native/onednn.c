/* matmul.h by oneDNN's sgemm, which is row-major. */
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#include "matmul.h"

static const char *isa(void) {
	switch (dnnl_get_effective_cpu_isa()) {
	case dnnl_cpu_isa_sse41: return "SSE4.1";
	case dnnl_cpu_isa_avx: return "AVX";
	case dnnl_cpu_isa_avx2: return "AVX2";
	case dnnl_cpu_isa_avx512_core:
	case dnnl_cpu_isa_avx512_core_vnni:
	case dnnl_cpu_isa_avx512_core_bf16: return "AVX-512";
	default: return "other";
	}
}

const char *matmul_open(int threads) {
	static char text[128];
	const dnnl_version_t *v = dnnl_version();
	(void)threads; /* oneDNN takes the caller's OpenMP threads, and one inside a parallel region */
	snprintf(text, sizeof text, "oneDNN %d.%d.%d, %s kernels", v->major, v->minor, v->patch, isa());
	return text;
}

/* sgemm ends the program on a refusal, since its caller reports no errors. */
static void sgemm(char ta, char tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
	if (dnnl_sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) == dnnl_success) return;
	printf("error dnnl_sgemm refuses m=%d n=%d k=%d\n", m, n, k);
	fflush(stdout);
	exit(1);
}

void matmul_nt(int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float *c, int ldc) {
	sgemm('N', 'T', m, n, k, alpha, a, lda, b, ldb, 0, c, ldc);
}

void matmul_nn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
	sgemm('N', 'N', m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
}

void matvec_n(int n, int k, float alpha, const float *b, int ldb, const float *x, float *y) {
	sgemm('N', 'N', n, 1, k, alpha, b, ldb, x, 1, 0, y, 1);
}

void matvec_t(int n, int k, const float *b, int ldb, const float *x, float beta, float *y) {
	sgemm('N', 'N', 1, k, n, 1, x, n, b, ldb, beta, y, k);
}
