/* SPDX-License-Identifier: MIT */
// Ways through a program: exceptions with and without a callback, deep calls, loops long enough for fused code.
#include "run.h"

#define __exception_cb(name) __attribute__((btf_decl_tag("exception_callback:" #name)))

extern void bpf_throw(u64 cookie) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64[64]);
} table SEC(".maps");

volatile u64 rounds = 3000;

SEC("tc")
int throws_cookie(void *ctx)
{
	bpf_throw(33);
	return 1;
}

static __noinline int thrower(u64 *n)
{
	if (*n == 2)
		bpf_throw(7);
	*n += 1;
	return 0;
}

SEC("tc")
int throws_in_subprog(void *ctx)
{
	u64 n = 0;

	thrower(&n);
	thrower(&n);
	thrower(&n);
	return 1;
}

__noinline int caught(u64 cookie)
{
	return cookie + 100;
}

SEC("tc")
__exception_cb(caught)
int throws_and_catches(void *ctx)
{
	bpf_throw(11);
	return 1;
}

SEC("tc")
__exception_cb(caught)
int does_not_throw(void *ctx)
{
	u64 n = 0;

	thrower(&n);
	return n;
}

static __noinline u64 fifth(u64 *sum) { *sum += 5; return *sum; }
static __noinline u64 fourth(u64 *sum) { *sum += 4; return fifth(sum); }
static __noinline u64 third(u64 *sum) { *sum += 3; return fourth(sum); }
static __noinline u64 second(u64 *sum) { *sum += 2; return third(sum); }

SEC("tc")
int calls_deep(void *ctx)
{
	u64 sum = 1;

	return second(&sum);
}

static int mix(u32 index, void *arg)
{
	u32 key = 0;
	u64 *values = bpf_map_lookup_elem(&table, &key);

	if (!values)
		return 1;
	for (u32 i = 0; i < 64; i++) {
		u64 v = values[i];

		v ^= v << 13;
		v ^= v >> 7;
		if (v & 1)
			v += 0x9e3779b9;
		values[i] = v + index;
	}
	return 0;
}

/* The table after mixing it `rounds` times is compared with the same done in C#. */
SEC("tc")
int mixes(void *ctx)
{
	return bpf_loop(rounds, mix, NULL, 0) == rounds ? 0 : 1;
}

extern void bpf_preempt_disable(void) __ksym __attribute__((weak));
extern void no_such_function(void) __ksym __attribute__((weak));

/* What the kernel has is not null, what it has not is. */
SEC("syscall")
int symbols(void *ctx)
{
	CHECK(bpf_preempt_disable);
	CHECK(!no_such_function);
	return 0;
}
