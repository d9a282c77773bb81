/* A struct_ops variable, one that is not asked for, and a program that nobody uses. */
#include "bpf.h"

struct my_ops {
	int (*first)(int);
	void (*second)(void);
	u32 flags;
	char name[16];
};

struct my_ops___local {
	void (*second)(void);
	int (*not_in_kernel)(void);
};

SEC("struct_ops/first")
int first_impl(u64 *ctx)
{
	return 0;
}

SEC("struct_ops.s/second")
void second_impl(u64 *ctx)
{
}

SEC("struct_ops/unused")
int unused_impl(u64 *ctx)
{
	return 0;
}

SEC(".struct_ops.link")
struct my_ops linked = {
	.first = (void *)first_impl,
	.second = (void *)second_impl,
	.flags = 3,
	.name = "linked",
};

SEC("?.struct_ops")
struct my_ops___local optional = {
	.second = (void *)second_impl,
};
