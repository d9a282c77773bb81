/* Variables in an arena. */
#include "bpf.h"

#define __arena __attribute__((address_space(1)))

struct {
	__uint(type, 33);
	__uint(map_flags, 1 << 10);
	__uint(max_entries, 2);
} arena SEC(".maps");

int __arena shared = 42;
u64 __arena total;

SEC("syscall")
int adds(void *ctx)
{
	total += shared;
	return 0;
}
