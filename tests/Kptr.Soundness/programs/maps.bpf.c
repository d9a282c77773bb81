// SPDX-License-Identifier: MIT
// The maps and functions of generated programs; their instructions come from the generator.
#include "../../data/run/run.h"

enum { BPF_MAP_TYPE_LRU_HASH = 9, BPF_MAP_TYPE_PERCPU_ARRAY = 6 };

struct item {
	struct bpf_list_node in_list;
	struct bpf_rb_node in_tree;
	struct bpf_refcount refs;
	u64 key;
	u64 more;
};

struct plain {
	u64 words[8];
};

struct held {
	u64 before;
	struct task_struct __kptr *task;
	struct bpf_cpumask __kptr *mask;
	struct item __kptr *item;
	u64 after[2];
};

struct guarded {
	struct bpf_spin_lock lock;
	u32 count;
	struct bpf_list_head queue __contains(item, in_list);
	struct bpf_rb_root tree __contains(item, in_tree);
	u64 last;
};

#define MAP(name, kind, entries, what) \
	struct { __uint(type, kind); __uint(max_entries, entries); __type(key, u32); __type(value, struct what); } name SEC(".maps")

MAP(plain_array, BPF_MAP_TYPE_ARRAY, 4, plain);
MAP(plain_hash, BPF_MAP_TYPE_HASH, 8, plain);
MAP(plain_lru, BPF_MAP_TYPE_LRU_HASH, 8, plain);
MAP(plain_percpu, BPF_MAP_TYPE_PERCPU_ARRAY, 4, plain);
MAP(held_array, BPF_MAP_TYPE_ARRAY, 4, held);
MAP(held_hash, BPF_MAP_TYPE_HASH, 8, held);
MAP(guarded_array, BPF_MAP_TYPE_ARRAY, 2, guarded);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

static __noinline u64 fn_sub(u64 a, u64 b) { return a + b; }
static __noinline u64 fn_loop(u64 a, u64 b) { return a - b; }
static __noinline u64 fn_each(u64 a, u64 b, u64 c, u64 d) { return a * b + c - d; }
static __noinline bool fn_less(struct bpf_rb_node *a, const struct bpf_rb_node *b) { return a < b; }
__noinline u64 fn_global(u64 a, u64 b) { return fn_sub(a, b) ^ fn_loop(a, b) ^ fn_each(a, b, a, b); }

SEC("syscall")
int entry(void *ctx)
{
	struct item *item = bpf_obj_new(struct item);

	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_cpumask *mask = ctx;

	if (item)
		bpf_obj_drop(item);
	if (task->pid == mask->cpumask.bits[0])
		return 1;
	return fn_global((u64)ctx, 2) + fn_less(ctx, ctx + 8);
}
