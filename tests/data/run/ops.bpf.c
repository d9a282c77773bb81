// SPDX-License-Identifier: MIT
// A struct of operations of the test's own kernel, and a timer that outlives the run that set it.
#include "run.h"

struct calc_ops {
	int (*add)(int a, int b);
	int (*scale)(int a);
	int factor;
};

u64 calls;

SEC("struct_ops/add")
int add(u64 *ctx)
{
	calls++;
	return (int)ctx[0] + (int)ctx[1];
}

SEC(".struct_ops")
struct calc_ops calc = {
	.add = (void *)add,
	.factor = 3,
};
