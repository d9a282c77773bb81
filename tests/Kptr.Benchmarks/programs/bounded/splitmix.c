#include "bounded.h"

PROG u64 splitmix(struct work *w)
{
	u64 n = w->rounds, state = 42, out = 0;

	for (u64 i = 0; i < n && can_loop; i++) {
		u64 z = state += 0x9e3779b97f4a7c15ULL;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
		out ^= z ^ (z >> 31);
	}
	return out;
}
