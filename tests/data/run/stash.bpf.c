// SPDX-License-Identifier: MIT
// Objects of the program's own in map values: plain and per CPU.
#include "run.h"

struct shelf_node {
	u64 value;
};

struct shelf_counter {
	u64 hits;
};

struct shelf {
	struct shelf_node __kptr *node;
	struct shelf_counter __percpu_kptr *counter;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct shelf);
} shelves SEC(".maps");

SEC("syscall")
int put(void *ctx)
{
	struct shelf *shelf;
	struct shelf_node *node, *old;
	u32 zero = 0;

	shelf = bpf_map_lookup_elem(&shelves, &zero);
	CHECK(shelf);
	node = bpf_obj_new(struct shelf_node);
	CHECK(node);
	node->value = 42;
	old = bpf_kptr_xchg(&shelf->node, node);
	if (old)
		bpf_obj_drop(old);
	return 0;
}

SEC("syscall")
int take(void *ctx)
{
	struct shelf *shelf;
	struct shelf_node *node;
	u32 zero = 0;
	u64 value;

	shelf = bpf_map_lookup_elem(&shelves, &zero);
	CHECK(shelf);
	node = bpf_kptr_xchg(&shelf->node, NULL);
	CHECK(node);
	value = node->value;
	bpf_obj_drop(node);
	CHECK(value == 42);
	return 0;
}

SEC("syscall")
int put_percpu(void *ctx)
{
	struct shelf_counter __percpu_kptr *counter, *old;
	struct shelf *shelf;
	u32 zero = 0;

	shelf = bpf_map_lookup_elem(&shelves, &zero);
	CHECK(shelf);
	counter = bpf_percpu_obj_new(struct shelf_counter);
	CHECK(counter);
	old = bpf_kptr_xchg(&shelf->counter, counter);
	if (old)
		bpf_percpu_obj_drop(old);
	return 0;
}

SEC("syscall")
int hit_percpu(void *ctx)
{
	struct shelf_counter __percpu_kptr *counter;
	struct shelf_counter *here, *there;
	struct shelf *shelf;
	u32 zero = 0;
	int line = 0;

	shelf = bpf_map_lookup_elem(&shelves, &zero);
	CHECK(shelf);
	bpf_rcu_read_lock();
	counter = shelf->counter;
	if (counter) {
		here = bpf_this_cpu_ptr(counter);
		here->hits += 3;
		there = bpf_per_cpu_ptr(counter, bpf_get_smp_processor_id() == 0);
		if (!there || there->hits == here->hits)
			line = __LINE__;
		if (bpf_per_cpu_ptr(counter, 4096))
			line = __LINE__;
	} else {
		line = __LINE__;
	}
	bpf_rcu_read_unlock();
	return line;
}
