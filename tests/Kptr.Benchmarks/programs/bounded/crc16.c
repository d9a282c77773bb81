#include "bounded.h"

PROG u64 crc16(struct work *w)
{
	u64 n = w->rounds, zero = opaque_zero(n);
	u32 crc = 0xffff + (u32)zero;

	for (u64 r = zero; can_loop && r < n; r++)
		for (u64 i = zero; can_loop && hide(i) < sizeof(w->bytes); i++) {
			crc ^= (u32)w->bytes[i] << 8;
			for (int bit = 0; bit < 8; bit++)
				crc = ((crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1) + (u32)zero;
		}
	return crc & 0xffff;
}
