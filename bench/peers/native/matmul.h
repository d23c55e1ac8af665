/* The products that attention.c is written over, and that each library's file
 * provides. All matrices are float32 and row-major; ld is the distance of rows. */
#ifndef MATMUL_H
#define MATMUL_H

/* matmul_open prepares the library for its own threads (1: attention.c splits the
 * work instead) and returns what it is and which kernels it chose. */
const char *matmul_open(int threads);

/* c[m][n] = alpha * a[m][k] * b[n][k]^T */
void matmul_nt(int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float *c, int ldc);

/* c[m][n] = a[m][k] * b[k][n] + beta * c[m][n] */
void matmul_nn(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

/* y[n] = alpha * b[n][k] * x[k] */
void matvec_n(int n, int k, float alpha, const float *b, int ldb, const float *x, float *y);

/* y[k] = b[n][k]^T * x[n] + beta * y[k] */
void matvec_t(int n, int k, const float *b, int ldb, const float *x, float beta, float *y);

#endif
