// SPDX-License-Identifier: MIT
// What Linux 6.12 accepts although it may go wrong: one path of a bpf_loop has more rounds than the one that was looked at.
#include "run.h"

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, u32); __type(value, u64); } values SEC(".maps");

static int next(u32 round, u64 *off)
{
	u32 key = 0;
	volatile char *value = bpf_map_lookup_elem(&values, &key);

	if (!value)
		return 0;
	value[*off];
	*off = 4096;
	return 0;
}

SEC("tc")
int rounds(void *ctx)
{
	u64 off = 5;
	u32 count;

	asm volatile("call 7; %0 = 2; if r0 == 0 goto +1; %0 = 1" : "=r"(count) : : "r0", "r1", "r2", "r3", "r4", "r5");
	bpf_loop(count, next, &off, 0);
	return 0;
}
