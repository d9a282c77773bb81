#include "bench.h"

/* Bitwise CRC-16 (CCITT) over the bytes: a conditional xor for every bit. */
PROG u64 crc16(struct work *w)
{
	u64 n = w->rounds;
	u32 crc = 0xffff;

	for (u64 r = 0; r < n; r++)
		for (u64 i = 0; i < sizeof(w->bytes); i++) {
			crc ^= (u32)w->bytes[i] << 8;
			for (int bit = 0; bit < 8; bit++)
				crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
		}
	return crc & 0xffff;
}
