#include "bounded.h"

#define CAPACITY 400

PROG u64 knapsack(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n), total = 0;

	for (u64 r = zero; can_loop && r < n; r++) {
		volatile u8 reach[CAPACITY];

		for (u64 i = zero; can_loop && hide(i) < CAPACITY; i++)
			reach[i] = 0;
		reach[0] = 1;
		for (u64 item = 3; item < 40; item += 4)
			for (u64 i = zero + CAPACITY - 1 - item; can_loop && hide(i) < CAPACITY; i--)
				if (reach[i]) {
					u64 sum = i + item;

					if (hide(sum) < CAPACITY)
						reach[sum] = 1;
				}
		for (u64 i = zero; can_loop && hide(i) < CAPACITY; i++)
			total += reach[i] ^ (r & 1);
	}
	return total;
}
