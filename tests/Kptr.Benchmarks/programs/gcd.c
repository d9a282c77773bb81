#include "bench.h"

/* Binary gcd: shifts, subtractions and branches that depend on the data. */
PROG u64 gcd(struct work *w)
{
	u64 n = w->rounds, sum = 0;

	for (u64 i = 1; i < n; i++) {
		u64 a = i | 1, b = (n - i) | 1;

		while (a != b) {
			if (a > b)
				a -= b;
			else
				b -= a;
			while (!(a & 1))
				a >>= 1;
			while (!(b & 1))
				b >>= 1;
		}
		sum += a;
	}
	return sum;
}
