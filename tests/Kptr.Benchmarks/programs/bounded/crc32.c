#include "bounded.h"

/* Bitwise CRC-32 over the bytes, in 32-bit arithmetic. */
PROG u64 crc32(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n);
	u32 crc = 0xffffffffu + (u32)zero;

	for (u64 r = zero; can_loop && r < n; r++)
		for (u64 i = zero; can_loop && hide(i) < sizeof(w->bytes); i++) {
			crc ^= w->bytes[i];
			for (int bit = 0; bit < 8; bit++)
				crc = ((crc & 1) ? (crc >> 1) ^ 0xedb88320u : crc >> 1) + (u32)zero;
		}
	return (u32)~crc;
}
