#include "bench.h"

#define COUNT 56

/* Shell sort of 8-byte numbers on the stack. */
PROG u64 shellsort(struct work *w)
{
	u64 n = w->rounds, digest = 0, seed = 20240229;

	for (u64 r = 0; r < n; r++) {
		u64 v[COUNT];

		for (u64 i = 0; i < COUNT; i++) {
			seed = seed * 2862933555777941757ULL + 3037000493ULL;
			v[i] = seed >> 17;
		}
		for (u64 gap = 28; gap > 0; gap >>= 1)
			for (u64 i = gap; i < COUNT; i++) {
				u64 x = v[i], j = i;

				while (j >= gap && v[j - gap] > x) {
					v[j] = v[j - gap];
					j -= gap;
				}
				v[j] = x;
			}
		digest = digest * 17 + v[r % COUNT];
	}
	return digest;
}
