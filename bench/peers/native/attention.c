#include "attention.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#ifdef __F16C__
#include <immintrin.h>
#endif

#include "matmul.h"

/* What a thread works in: scores, running maxima and sums of a block, widened keys
 * and values. */
struct scratch {
	float *scores, *top, *sum, *k, *v;
};

static struct scratch *scratch;

static float *floats(size_t n) {
	return aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64 + 64);
}

/* Rows of one KV head: row r is query r % lq of query head r / lq of the group,
 * which is the order in memory. */
static int rows_of(const struct problem *p) { return p->hq / p->hkv * p->lq; }

static int least(int a, int b) { return a < b ? a : b; }

int attention_open(const struct problem *p) {
	int m = p->blocked ? least(p->rows, rows_of(p)) : rows_of(p);
	int n = p->blocked ? least(p->keys, p->lk) : p->lk;
	int count = p->library ? 1 : p->threads;
	scratch = calloc(count, sizeof *scratch);
	if (!scratch) return 0;
	for (int t = 0; t < count; t++) {
		struct scratch *s = &scratch[t];
		s->scores = floats((size_t)m * n);
		s->top = floats(m);
		s->sum = floats(m);
		s->k = floats(p->half ? (size_t)n * p->d : 1);
		s->v = floats(p->half ? (size_t)n * p->dv : 1);
		if (!s->scores || !s->top || !s->sum || !s->k || !s->v) return 0;
	}
	omp_set_num_threads(p->threads);
	return 1;
}

/* seen returns how many keys row r may look at. */
static int seen(const struct problem *p, int r) {
	if (!p->causal) return p->lk;
	int n = r % p->lq + p->offset + 1;
	return n < 0 ? 0 : least(n, p->lk);
}

static void widen_part(float *to, const uint16_t *from, size_t n) {
	size_t i = 0;
#ifdef __F16C__
	for (; i + 8 <= n; i += 8) _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(from + i))));
#endif
	for (; i < n; i++) {
		_Float16 h;
		memcpy(&h, from + i, sizeof h);
		to[i] = h;
	}
}

/* widen returns rows first to first+n of a tensor of KV heads as float32. */
static const float *widen(const struct problem *p, const void *data, float *room, size_t first, int n, int width) {
	if (!p->half) return (const float *)data + first * width;
	const uint16_t *from = (const uint16_t *)data + first * width;
	if (p->library) {
#pragma omp parallel for
		for (int i = 0; i < n; i++) widen_part(room + (size_t)i * width, from + (size_t)i * width, width);
	} else {
		widen_part(room, from, (size_t)n * width);
	}
	return room;
}

/* scores computes s[m][n] = scale * q * k^T. */
static void scores(const struct problem *p, int m, int n, const float *q, const float *k, float *s) {
	if (!p->vector) {
		matmul_nt(m, n, p->d, p->scale, q, p->d, k, p->d, s, n);
		return;
	}
	for (int r = 0; r < m; r++) matvec_n(n, p->d, p->scale, k, p->d, q + (size_t)r * p->d, s + (size_t)r * n);
}

/* values adds s[m][n] * v to beta * o. */
static void values(const struct problem *p, int m, int n, const float *s, const float *v, float beta, float *o) {
	if (!p->vector) {
		matmul_nn(m, p->dv, n, s, n, v, p->dv, beta, o, p->dv);
		return;
	}
	for (int r = 0; r < m; r++) matvec_t(n, p->dv, v, p->dv, s + (size_t)r * n, beta, o + (size_t)r * p->dv);
}

/* weigh turns the first n scores of a row of length all into exp(s - *top), the rest
 * into 0, and updates the running maximum and sum. It returns by how much earlier sums
 * shrink. */
static float weigh(float *s, int n, int all, float *top, float *sum) {
	float high = *top;
	for (int j = 0; j < n; j++) high = s[j] > high ? s[j] : high;
	float total = 0;
	for (int j = 0; j < n; j++) {
		s[j] = expf(s[j] - high);
		total += s[j];
	}
	memset(s + n, 0, (size_t)(all - n) * sizeof *s);
	float shrink = expf(*top - high);
	*top = high;
	*sum = *sum * shrink + total;
	return shrink;
}

static void multiply(float *x, int n, float by) {
	for (int i = 0; i < n; i++) x[i] *= by;
}

/* block computes rows first to first+m of a KV head, tile of keys by tile of keys. */
static void block(const struct problem *p, struct scratch *w, int head, int first, int m) {
	const float *q = p->q + ((size_t)head * rows_of(p) + first) * p->d;
	float *o = p->o + ((size_t)head * rows_of(p) + first) * p->dv;
	int last = first + m - 1;
	/* A block that reaches into another query head holds that head's last query. */
	int limit = first / p->lq == last / p->lq ? seen(p, last) : seen(p, p->lq - 1);
	for (int r = 0; r < m; r++) w->top[r] = -FLT_MAX, w->sum[r] = 0;
	if (limit == 0) memset(o, 0, (size_t)m * p->dv * sizeof *o);
	for (int at = 0; at < limit; at += p->keys) {
		int n = least(p->keys, limit - at);
		const float *k = widen(p, p->k, w->k, (size_t)head * p->lk + at, n, p->d);
		scores(p, m, n, q, k, w->scores);
		for (int r = 0; r < m; r++) {
			int here = seen(p, first + r) - at;
			here = here < 0 ? 0 : least(here, n);
			float shrink = weigh(w->scores + (size_t)r * n, here, n, &w->top[r], &w->sum[r]);
			if (at > 0 && shrink != 1) multiply(o + (size_t)r * p->dv, p->dv, shrink);
		}
		const float *v = widen(p, p->v, w->v, (size_t)head * p->lk + at, n, p->dv);
		values(p, m, n, w->scores, v, at > 0, o);
	}
	for (int r = 0; r < m; r++) multiply(o + (size_t)r * p->dv, p->dv, w->sum[r] > 0 ? 1 / w->sum[r] : 0);
}

/* normalise makes a row of weights that sum to 1 of a row of scores. */
static void normalise(const struct problem *p, float *s, int r) {
	float top = -FLT_MAX, sum = 0;
	weigh(s, seen(p, r), p->lk, &top, &sum);
	multiply(s, p->lk, sum > 0 ? 1 / sum : 0);
}

/* whole computes a KV head as the formula has it: all scores, softmax, all values. */
static void whole(const struct problem *p, struct scratch *w, int head) {
	int m = rows_of(p);
	const float *k = widen(p, p->k, w->k, (size_t)head * p->lk, p->lk, p->d);
	scores(p, m, p->lk, p->q + (size_t)head * m * p->d, k, w->scores);
	if (p->library) {
#pragma omp parallel for
		for (int r = 0; r < m; r++) normalise(p, w->scores + (size_t)r * p->lk, r);
	} else {
		for (int r = 0; r < m; r++) normalise(p, w->scores + (size_t)r * p->lk, r);
	}
	const float *v = widen(p, p->v, w->v, (size_t)head * p->lk, p->lk, p->dv);
	values(p, m, p->lk, w->scores, v, 0, p->o + (size_t)head * m * p->dv);
}

/* unit computes the n-th part of the work: a block of rows, or a whole KV head. */
static void unit(const struct problem *p, struct scratch *w, int n) {
	if (!p->blocked) {
		whole(p, w, n);
		return;
	}
	int blocks = (rows_of(p) + p->rows - 1) / p->rows;
	/* The last rows of a causal head see most, so they go first and balance the threads. */
	int first = (blocks - 1 - n % blocks) * p->rows;
	block(p, w, n / blocks, first, least(p->rows, rows_of(p) - first));
}

void attend(const struct problem *p) {
	int units = p->b * p->hkv;
	if (p->blocked) units *= (rows_of(p) + p->rows - 1) / p->rows;
	if (p->library) {
		for (int n = 0; n < units; n++) unit(p, scratch, n);
		return;
	}
#pragma omp parallel for schedule(dynamic, 1)
	for (int n = 0; n < units; n++) unit(p, &scratch[omp_get_thread_num()], n);
}
