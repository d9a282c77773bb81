#include "bounded.h"

#define COUNT 448

/* Primes below 448, as marks on the stack. */
PROG u64 sieve(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n), total = 0;

	for (u64 r = zero; can_loop && r < n; r++) {
		volatile u8 prime[COUNT];

		for (u64 i = zero; can_loop && hide(i) < COUNT; i++)
			prime[i] = 1;
		for (u64 i = zero + 2; can_loop && hide(i) < COUNT; i++)
			if (prime[i]) {
				total += i ^ r;
				for (u64 j = i * 2; can_loop && hide(j) < COUNT; j += i)
					prime[j] = 0;
			}
	}
	return total;
}
