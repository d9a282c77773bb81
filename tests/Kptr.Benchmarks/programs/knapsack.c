#include "bench.h"

#define CAPACITY 400

/* Subset sums over a table of bytes on the stack: indexed loads and stores. */
PROG u64 knapsack(struct work *w)
{
	u64 n = w->rounds, total = 0;

	for (u64 r = 0; r < n; r++) {
		volatile u8 reach[CAPACITY];

		for (u64 i = 0; i < CAPACITY; i++)
			reach[i] = 0;
		reach[0] = 1;
		for (u64 item = 3; item < 40; item += 4)
			for (u64 i = CAPACITY - 1; i >= item; i--)
				if (reach[i - item])
					reach[i] = 1;
		for (u64 i = 0; i < CAPACITY; i++)
			total += reach[i] ^ (r & 1);
	}
	return total;
}
