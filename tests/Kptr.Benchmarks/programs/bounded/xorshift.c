#include "bounded.h"

/* A generator of shifts and xors, one after the other. */
PROG u64 xorshift(struct work *w)
{
	u64 n = w->rounds, x = 88172645463325252ULL;

	for (u64 i = 0; i < n && can_loop; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}
