/* A library's attention as a child of bench/peers. Arguments are key=value; the
 * first line out is "ready WHAT" or "error WHY". After it, each "run" on standard input
 * computes once and answers "ran NANOSECONDS SUM", SUM being that of the outputs'
 * magnitudes, and "output" answers "output COUNT f32" and the numbers in memory order. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attention.h"
#include "matmul.h"

static void fail(const char *why, const char *what) {
	printf("error %s %s\n", why, what);
	fflush(stdout);
	exit(1);
}

/* text returns the value of a key. */
static const char *text(int argc, char **argv, const char *key) {
	size_t n = strlen(key);
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=') return argv[i] + n + 1;
	}
	fail("missing argument", key);
	return NULL;
}

static int number(int argc, char **argv, const char *key) { return atoi(text(argc, argv, key)); }

/* load reads a file of exactly so many bytes. */
static void *load(const char *path, size_t bytes) {
	void *data = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
	FILE *file = fopen(path, "rb");
	if (!data || !file || fread(data, 1, bytes, file) != bytes || fgetc(file) != EOF) fail("cannot read", path);
	fclose(file);
	return data;
}

static void parse(struct problem *p, int argc, char **argv) {
	const struct {
		const char *key;
		int *to;
	} numbers[] = {
		{"b", &p->b}, {"hq", &p->hq}, {"hkv", &p->hkv}, {"lq", &p->lq}, {"lk", &p->lk}, {"d", &p->d}, {"dv", &p->dv},
		{"causal", &p->causal}, {"offset", &p->offset}, {"half", &p->half}, {"blocked", &p->blocked},
		{"library", &p->library}, {"vector", &p->vector}, {"rows", &p->rows}, {"keys", &p->keys}, {"threads", &p->threads},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) *numbers[i].to = number(argc, argv, numbers[i].key);
	p->scale = strtof(text(argc, argv, "scale"), NULL);
	size_t element = p->half ? 2 : 4, keys = (size_t)p->b * p->hkv * p->lk;
	p->q = load(text(argc, argv, "q"), (size_t)p->b * p->hq * p->lq * p->d * 4);
	p->k = load(text(argc, argv, "k"), keys * p->d * element);
	p->v = load(text(argc, argv, "v"), keys * p->dv * element);
}

/* run times one call whose output was NaN before it, so that what is not written shows. */
static void run(const struct problem *p, size_t n) {
	struct timespec from, to;
	double sum = 0;
	memset(p->o, 0xff, n * sizeof *p->o);
	clock_gettime(CLOCK_MONOTONIC, &from);
	attend(p);
	clock_gettime(CLOCK_MONOTONIC, &to);
	for (size_t i = 0; i < n; i++) sum += fabsf(p->o[i]);
	printf("ran %lld %.17g\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec, sum);
}

int main(int argc, char **argv) {
	struct problem p = {0};
	char line[64];
	parse(&p, argc, argv);
	size_t n = (size_t)p.b * p.hq * p.lq * p.dv;
	p.o = aligned_alloc(64, (n * sizeof *p.o + 63) / 64 * 64);
	const char *what = matmul_open(p.library ? p.threads : 1);
	if (!p.o || !attention_open(&p)) fail("no memory for", what);
	printf("ready %s\n", what);
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		if (strcmp(line, "run\n") == 0) {
			run(&p, n);
		} else if (strcmp(line, "output\n") == 0) {
			printf("output %zu f32\n", n);
			fwrite(p.o, sizeof *p.o, n, stdout);
		} else {
			fail("unknown request", line);
		}
		fflush(stdout);
	}
	return 0;
}
