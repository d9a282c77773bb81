#include "bounded.h"

#define COUNT 56

PROG u64 shellsort(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n), digest = 0, seed = 20240229;

	for (u64 r = zero; can_loop && r < n; r++) {
		u64 v[COUNT];

		for (u64 i = zero; can_loop && hide(i) < COUNT; i++) {
			seed = seed * 2862933555777941757ULL + 3037000493ULL;
			v[i] = seed >> 17;
		}
		for (u64 gap = zero + 28; can_loop && gap > 0; gap >>= 1)
			for (u64 i = gap + zero; can_loop && hide(i) < COUNT; i++) {
				u64 x = v[i], j = i - gap + zero;

				while (can_loop && hide(j) < COUNT && v[j] > x) {
					u64 k = j + gap;

					if (hide(k) < COUNT)
						v[k] = v[j];
					j -= gap;
				}
				j += gap;
				if (hide(j) < COUNT)
					v[j] = x;
			}
		digest = digest * 17 + v[r % COUNT];
	}
	return digest;
}
