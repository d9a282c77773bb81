// SPDX-License-Identifier: MIT
// Keeps every new task in a map of a type that no kernel has.
#include "../../TaskTracker/bpf/kptr_bpf.h"

struct seen_task {
	struct task_struct __kptr *task;
	u64 times;
};

struct {
	__uint(type, 1000);
	__uint(max_entries, 16);
	__type(key, s32);
	__type(value, struct seen_task);
} window SEC(".maps");

SEC("tp_btf/task_newtask")
int see(u64 *args)
{
	struct task_struct *task = bpf_task_acquire((void *)args[0]);
	struct seen_task fresh = {}, *seen;
	s32 pid;

	if (!task)
		return 0;
	pid = task->pid;
	bpf_map_update_elem(&window, &pid, &fresh, BPF_NOEXIST);
	seen = bpf_map_lookup_elem(&window, &pid);
	if (seen) {
		seen->times++;
		task = bpf_kptr_xchg(&seen->task, task);
	}
	if (task)
		bpf_task_release(task);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
