/*
 * Programs that a kernel accepts: every loop is counted by may_goto or short, every index is held against its bound, and
 * what must not be a known number is read through opaque_zero. With PLAIN may_goto is left out, for machines without it.
 */
#include "../bench.h"

#ifdef PLAIN
#define can_loop 1
#else
#define can_loop ({ \
	__label__ stop, go; \
	u8 goes = 1; \
	asm volatile goto("1: .byte 0xe5; .byte 0; .long ((%l[stop] - 1b - 8) / 8) & 0xffff; .short 0" :::: stop); \
	goto go; \
stop: \
	goes = 0; \
go: \
	goes; \
})
#endif

/* The compiler knows nothing of the variable from here on. */
#define hide(x) ({ asm volatile("" : "+r"(x)); x; })

/* Zero, which the verifier takes for any number. */
#define opaque_zero(n) ({ u64 same = n; hide(same); same - n; })
