// SPDX-License-Identifier: MIT
// Gives every new process a queue of the GPU, and keeps it in a map until user space deletes it.
#include "../../TaskTracker/bpf/kptr_bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct gpu_queue {
	u32 owner;
} __attribute__((preserve_access_index));

extern struct gpu_queue *gpu_queue_open(u32 owner) __ksym;
extern struct gpu_queue *gpu_queue_get(struct gpu_queue *queue) __ksym;
extern void gpu_queue_put(struct gpu_queue *queue) __ksym;

struct entry {
	struct gpu_queue __kptr *queue;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, u32);
	__type(value, struct entry);
} queues SEC(".maps");

static __always_inline struct entry *entry_of(u32 pid)
{
	struct entry empty = {};

	bpf_map_update_elem(&queues, &pid, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&queues, &pid);
}

/* The slot owns the queue from now on; what it owned before is ours to give back. */
static __always_inline void keep(struct entry *entry, struct gpu_queue *queue)
{
	queue = bpf_kptr_xchg(&entry->queue, queue);
	if (queue)
		gpu_queue_put(queue);
}

SEC("tp_btf/task_newtask")
int on_newtask(u64 *args)
{
	struct task_struct *task = (void *)args[0];
	struct entry *entry = entry_of(task->pid);
	struct gpu_queue *queue;

	if (!entry)
		return 0;
	queue = gpu_queue_open(task->pid);
	if (queue)
		keep(entry, queue);
	return 0;
}

struct share {
	u32 from;
	u32 to;
};

SEC("syscall")
int share(struct share *who)
{
	struct entry *from = entry_of(who->from), *to = entry_of(who->to);
	struct gpu_queue *queue, *again;

	if (!from || !to)
		return 1;
	queue = bpf_kptr_xchg(&from->queue, (void *)0);
	if (!queue)
		return 1;
	again = gpu_queue_get(queue);
	if (again)
		keep(to, again);
	keep(from, queue);
	return 0;
}
