/* Attention over the products of matmul.h, unfused and in blocks. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include <stdint.h>

/* A problem and a way to compute it. Tensors are contiguous: q [b][hq][lq][d],
 * k [b][hkv][lk][d], v [b][hkv][lk][dv], o [b][hq][lq][dv]. Query i sees the keys up
 * to i + offset if causal. */
struct problem {
	int b, hq, hkv, lq, lk, d, dv, causal, offset;
	float scale;
	int half;    /* k and v hold float16, which is widened before it is multiplied */
	int blocked; /* blocks of rows by tiles of keys; 0: all scores of a KV head at once */
	int library; /* the library's threads; 0: a thread takes whole units of work */
	int vector;  /* a row at a time by matrix-vector products */
	int rows, keys; /* sizes of block and tile */
	int threads;
	const float *q;
	const void *k, *v;
	float *o;
};

/* attention_open allocates what attend needs; 0 if there is no memory. */
int attention_open(const struct problem *p);
void attend(const struct problem *p);

#endif
