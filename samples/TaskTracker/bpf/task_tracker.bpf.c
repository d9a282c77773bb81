// SPDX-License-Identifier: MIT
// Collects every new task as a kptr and tells later who it is, in which cgroup, with how much CPU time.
#include "kptr_bpf.h"

#define COMM_LEN 16

struct task_entry {
	struct task_struct __kptr *task;
	u64 seen_ns;
};

struct task_summary {
	s32 pid;
	s32 tgid;
	char comm[COMM_LEN];
	u64 cgroup_id;
	u64 cpu_time_ns;
	u64 seen_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, s32);
	__type(value, struct task_entry);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct task_summary);
} summary SEC(".maps");

u64 execs;
u64 exits;

// Takes over the caller's reference on every path.
static __always_inline void keep(struct task_struct *task)
{
	struct task_entry fresh = {}, *entry;
	struct task_struct *displaced;
	s32 pid = task->pid;

	bpf_map_update_elem(&tasks, &pid, &fresh, BPF_NOEXIST);
	entry = bpf_map_lookup_elem(&tasks, &pid);
	if (!entry) {
		bpf_task_release(task);
		return;
	}

	entry->seen_ns = bpf_ktime_get_ns();
	displaced = bpf_kptr_xchg(&entry->task, task);
	if (displaced)
		bpf_task_release(displaced);
}

// Args of a BTF tracepoint are an array of 64-bit words, typed by the tracepoint's own prototype.
SEC("tp_btf/task_newtask")
int on_newtask(u64 *args)
{
	struct task_struct *task = (void *)args[0];

	task = bpf_task_acquire(task);
	if (task)
		keep(task);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int on_exec(u64 *args)
{
	__sync_fetch_and_add(&execs, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int on_exit(u64 *args)
{
	__sync_fetch_and_add(&exits, 1);
	return 0;
}

struct summarise_args {
	s32 pid;
};

// Run by user space; the entry keeps its reference, RCU keeps the task while we look at it.
SEC("syscall")
int summarise(struct summarise_args *args)
{
	struct task_summary *out;
	struct task_entry *entry;
	struct task_struct *task;
	s32 pid = args->pid;
	int found = 0;
	u32 zero = 0;

	out = bpf_map_lookup_elem(&summary, &zero);
	entry = bpf_map_lookup_elem(&tasks, &pid);
	if (!out || !entry)
		return 0;

	bpf_rcu_read_lock();
	task = entry->task;
	if (task) {
		out->pid = task->pid;
		out->tgid = task->tgid;
		bpf_probe_read_kernel(out->comm, COMM_LEN, task->comm);
		out->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
		out->cpu_time_ns = task->utime + task->stime;
		out->seen_ns = entry->seen_ns;
		found = 1;
	}
	bpf_rcu_read_unlock();
	return found;
}

char _license[] SEC("license") = "Dual MIT/GPL";
