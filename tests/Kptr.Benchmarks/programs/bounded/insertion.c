#include "bounded.h"

#define COUNT 48

/* Insertion sort of 8-byte numbers on the stack. */
PROG u64 insertion(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n), digest = 0, seed = 12345;

	for (u64 r = zero; can_loop && r < n; r++) {
		u64 v[COUNT];

		for (u64 i = zero; can_loop && hide(i) < COUNT; i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			v[i] = seed >> 20;
		}
		for (u64 i = zero + 1; can_loop && hide(i) < COUNT; i++) {
			u64 x = v[i], j = i - 1 + zero;

			while (can_loop && hide(j) < COUNT - 1 && v[j] > x) {
				v[j + 1] = v[j];
				j--;
			}
			j++;
			if (hide(j) < COUNT)
				v[j] = x;
		}
		digest = digest * 31 + v[r % COUNT];
	}
	return digest;
}
