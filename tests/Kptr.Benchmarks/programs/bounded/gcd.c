#include "bounded.h"

PROG u64 gcd(struct work *w)
{
	u64 n = w->rounds, sum = 0;

	for (u64 i = 1; i < n && can_loop; i++) {
		u64 a = i | 1, b = (n - i) | 1;

		while (a != b && can_loop) {
			if (a > b)
				a -= b;
			else
				b -= a;
			while (!(a & 1) && can_loop)
				a >>= 1;
			while (!(b & 1) && can_loop)
				b >>= 1;
		}
		sum += a;
	}
	return sum;
}
