#include "bounded.h"

/* Steps of numbers to one: branches that depend on the data. */
PROG u64 collatz(struct work *w)
{
	u64 n = w->rounds, total = 0;

	for (u64 i = 1; i < n && can_loop; i++) {
		u64 v = i;

		while (can_loop && v != 1) {
			hide(v);
			if (v & 1)
				v = 3 * v + 1;
			else
				v >>= 1;
			hide(v);
			total++;
		}
	}
	return total;
}
