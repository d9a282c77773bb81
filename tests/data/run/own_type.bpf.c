// SPDX-License-Identifier: MIT
// Programs over a map whose type no kernel has: its user brings it.
#include "run.h"

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

struct kept {
	u64 seen;
	struct task_struct __kptr *task;
};

struct {
	__uint(type, 1000);
	__uint(max_entries, 4);
	__type(key, s32);
	__type(value, struct kept);
} own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, s32);
	__type(value, struct kept);
} plain SEC(".maps");

static __always_inline void keep(void *map, struct task_struct *task)
{
	struct kept fresh = {}, *kept;
	s32 pid;

	task = bpf_task_acquire(task);
	if (!task)
		return;
	pid = task->pid;
	bpf_map_update_elem(map, &pid, &fresh, BPF_NOEXIST);
	kept = bpf_map_lookup_elem(map, &pid);
	if (kept) {
		kept->seen++;
		task = bpf_kptr_xchg(&kept->task, task);
	}
	if (task)
		bpf_task_release(task);
}

SEC("tp_btf/task_newtask")
int keep_in_own(u64 *args)
{
	keep(&own, (void *)args[0]);
	return 0;
}

SEC("tp_btf/task_newtask")
int keep_in_plain(u64 *args)
{
	keep(&plain, (void *)args[0]);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int drop_from_own(u64 *args)
{
	struct task_struct *task = (void *)args[0];
	s32 pid = task->pid;

	bpf_map_delete_elem(&own, &pid);
	return 0;
}

// What the map held before is dropped.
SEC("?tp_btf/task_newtask")
int leak(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);
	struct kept *kept;
	s32 key = 0;

	if (!task)
		return 0;
	kept = bpf_map_lookup_elem(&own, &key);
	if (kept)
		bpf_kptr_xchg(&kept->task, task);
	else
		bpf_task_release(task);
	return 0;
}

static long each(void *map, const void *key, void *value, void *data)
{
	return 0;
}

SEC("?tp_btf/task_newtask")
int walk(u64 *args)
{
	bpf_for_each_map_elem(&own, each, NULL, 0);
	return 0;
}

SEC("?syscall")
int sleeps(void *ctx)
{
	s32 key = 0;

	return !bpf_map_lookup_elem(&own, &key);
}
