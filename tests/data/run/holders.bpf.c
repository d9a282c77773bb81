// SPDX-License-Identifier: MIT
// Holds a task in a register, on the stack and in a slot, and has the ledger asked about it meanwhile.
#include "run.h"

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void ask_ledger(void) __ksym;

struct slot {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, 5); /* BPF_MAP_TYPE_PERCPU_HASH */
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct slot);
} percpu SEC(".maps");

SEC("syscall")
int in_register(u32 *pid)
{
	struct task_struct *task = bpf_task_from_pid(*pid);

	CHECK(task);
	ask_ledger();
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int on_stack(u32 *pid)
{
	struct task_struct *task = bpf_task_from_pid(*pid);

	CHECK(task);
	asm volatile("r0 = 0" ::: "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9");
	ask_ledger();
	asm volatile("r0 = 0" ::: "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9");
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int in_percpu_slot(u32 *pid)
{
	struct slot fresh = {}, *slot;
	struct task_struct *task;
	u32 key = *pid;

	bpf_map_update_elem(&percpu, &key, &fresh, BPF_NOEXIST);
	slot = bpf_map_lookup_elem(&percpu, &key);
	CHECK(slot);
	task = bpf_task_from_pid(key);
	CHECK(task);
	task = bpf_kptr_xchg(&slot->task, task);
	if (task)
		bpf_task_release(task);
	return 0;
}
