#include "bounded.h"

PROG u64 djb2(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n), hash = 5381;

	for (u64 r = zero; can_loop && r < n; r++)
		for (u64 i = 0; i < sizeof(w->bytes); i++)
			hash = hash * 33 + w->bytes[i];
	return hash;
}
