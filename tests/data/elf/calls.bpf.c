/* Subprograms: who is appended where, callbacks, hidden functions, an exception callback nobody calls. */
#include "bpf.h"

static __noinline int leaf(int x)
{
	return x * 3;
}

__noinline int global_a(int x)
{
	return leaf(x) + 1;
}

__hidden __noinline int hidden_b(int x)
{
	return leaf(x + 1) + global_a(x);
}

static int each(u32 index, void *data)
{
	*(u64 *)data += index;
	return 0;
}

__noinline int on_exception(u64 cookie)
{
	return (int)cookie;
}

SEC("?socket")
int calls_b(void *ctx)
{
	return hidden_b(2);
}

SEC("socket")
int calls_a_and_callback(void *ctx)
{
	u64 sum = global_a(1);

	bpf_loop(10, each, &sum, 0);
	return (int)sum;
}

SEC("tc")
__tag("exception_callback:on_exception")
int throws(void *ctx)
{
	return 0;
}

SEC("xdp")
int alone(void *ctx)
{
	return 2;
}
