#include "bounded.h"

/* FNV-1a over the bytes: one load, one xor, one multiplication each. */
PROG u64 fnv(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n), hash = 0xcbf29ce484222325ULL;

	for (u64 r = zero; can_loop && r < n; r++)
		for (u64 i = 0; i < sizeof(w->bytes); i++) {
			hash ^= w->bytes[i];
			hash *= 0x100000001b3ULL;
		}
	return hash;
}
