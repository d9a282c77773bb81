// SPDX-License-Identifier: MIT
// Ownership faults, one a program, each followed by the same program with its fault mended.
#include "kptr_bpf.h"

struct task_entry {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, s32);
	__type(value, struct task_entry);
} kept SEC(".maps");

u64 seen;

// One path returns with the reference still in hand.
SEC("tp_btf/task_newtask")
int never_released(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);

	if (!task)
		return 0;
	if (task->pid == 1)
		return 0;
	bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int never_released_mended(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);

	if (!task)
		return 0;
	if (task->pid == 1)
		seen++;
	bpf_task_release(task);
	return 0;
}

// The last user may be gone already: then acquire gives null.
SEC("tp_btf/task_newtask")
int missing_null_check(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);

	bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int missing_null_check_mended(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);

	if (task)
		bpf_task_release(task);
	return 0;
}

// Gives back one reference twice.
SEC("tp_btf/task_newtask")
int double_release(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);

	if (!task)
		return 0;
	bpf_task_release(task);
	bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int double_release_mended(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);
	struct task_struct *again;

	if (!task)
		return 0;
	again = bpf_task_acquire(task);
	bpf_task_release(task);
	if (again)
		bpf_task_release(again);
	return 0;
}

// A plain store would lose what the slot owned and own what nobody counted.
SEC("tp_btf/task_newtask")
int plain_store(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);
	struct task_entry *entry;
	s32 key = 0;

	if (!task)
		return 0;
	entry = bpf_map_lookup_elem(&kept, &key);
	if (entry)
		entry->task = task;
	else
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int plain_store_mended(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);
	struct task_entry *entry;
	s32 key = 0;

	if (!task)
		return 0;
	entry = bpf_map_lookup_elem(&kept, &key);
	if (entry)
		task = bpf_kptr_xchg(&entry->task, task);
	if (task)
		bpf_task_release(task);
	return 0;
}

// What the slot held before is ours now; nobody releases it.
SEC("tp_btf/task_newtask")
int displaced_dropped(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);
	struct task_entry *entry;
	s32 key = 0;

	if (!task)
		return 0;
	entry = bpf_map_lookup_elem(&kept, &key);
	if (entry)
		bpf_kptr_xchg(&entry->task, task);
	else
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int displaced_dropped_mended(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);
	struct task_struct *displaced;
	struct task_entry *entry;
	s32 key = 0;

	if (!task)
		return 0;
	entry = bpf_map_lookup_elem(&kept, &key);
	if (entry) {
		displaced = bpf_kptr_xchg(&entry->task, task);
		if (displaced)
			bpf_task_release(displaced);
	} else {
		bpf_task_release(task);
	}
	return 0;
}

// After the release the task may be gone; there is nothing left to take a reference on.
SEC("tp_btf/task_newtask")
int used_after_release(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);

	if (!task)
		return 0;
	bpf_task_release(task);
	bpf_task_release(bpf_task_acquire(task));
	return 0;
}

SEC("tp_btf/task_newtask")
int used_after_release_mended(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);

	if (!task)
		return 0;
	seen += task->pid;
	bpf_task_release(task);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
