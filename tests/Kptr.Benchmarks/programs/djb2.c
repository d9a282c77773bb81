#include "bench.h"

/* A multiplicative string hash over the bytes: one load, one multiplication, one addition each. */
PROG u64 djb2(struct work *w)
{
	u64 n = w->rounds, hash = 5381;

	for (u64 r = 0; r < n; r++)
		for (u64 i = 0; i < sizeof(w->bytes); i++)
			hash = hash * 33 + w->bytes[i];
	return hash;
}
