/*
 * Times programs in ubpf's interpreter or JIT: processor time of the fastest of nine runs.
 * Usage: ubpf-driver interpreter|jit FILE ROUNDS [FILE ROUNDS]...; FILE is a flat file of instructions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ubpf.h>

enum { RUNS = 9, HEADER = 64, DATA = 4096 };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int measure(int jit, const char *path, unsigned long long rounds)
{
	static unsigned char code[1 << 16], work[HEADER + DATA];
	FILE *file = fopen(path, "rb");
	char *error = NULL;
	uint64_t r0 = 0;
	double best = 0;

	if (!file)
		return perror(path), 1;
	size_t size = fread(code, 1, sizeof(code), file);
	fclose(file);

	struct ubpf_vm *vm = ubpf_create();
	if (ubpf_load(vm, code, size, &error))
		return fprintf(stderr, "%s: %s\n", path, error), 1;
	ubpf_jit_fn run = jit ? ubpf_compile(vm, &error) : NULL;
	if (jit && !run)
		return fprintf(stderr, "%s: %s\n", path, error), 1;
	memset(work, 0, HEADER);
	memcpy(work, &rounds, sizeof(rounds));
	for (int i = 0; i < DATA; i++)
		work[HEADER + i] = (unsigned char)(i * 131 + 7);
	for (int i = 0; i < RUNS; i++) {
		double before = now_ms();

		if (run)
			r0 = run(work, sizeof(work));
		else if (ubpf_exec(vm, work, sizeof(work), &r0))
			return fprintf(stderr, "%s: fault\n", path), 1;
		double spent = now_ms() - before;
		best = i == 0 || spent < best ? spent : best;
	}
	printf("%s %llu %llx %.2f\n", path, rounds, (unsigned long long)r0, best);
	ubpf_destroy(vm);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 2; i + 1 < argc; i += 2)
		if (measure(!strcmp(argv[1], "jit"), argv[i], strtoull(argv[i + 1], NULL, 0)))
			return 1;
	return 0;
}
