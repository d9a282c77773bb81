/* A map that no kernel creates: arrays are always preallocated. */
#include "bpf.h"

struct {
	__uint(type, 2);
	__uint(max_entries, 4);
	__uint(map_flags, 1);
	__type(key, u32);
	__type(value, u64);
} numbers SEC(".maps");

SEC("syscall")
int look(void *ctx)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&numbers, &key);

	return value ? (int)*value : 0;
}
