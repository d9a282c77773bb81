// SPDX-License-Identifier: MIT
// Keeps tasks in elements that come and go: one program takes a new element for empty, the other asks.
#include "run.h"

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

struct seat {
	struct task_struct __kptr *task;
	u64 visits;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct seat);
} seats SEC(".maps");

/* Seats the current task; 1 where somebody sat there. */
static __always_inline int seat(u32 key)
{
	struct task_struct *task, *before;
	struct seat *seat;

	seat = bpf_map_lookup_elem(&seats, &key);
	task = bpf_task_acquire(bpf_get_current_task_btf());
	if (!task)
		return 0;
	if (!seat) {
		bpf_task_release(task);
		return 0;
	}
	seat->visits++;
	before = bpf_kptr_xchg(&seat->task, task);
	if (!before)
		return 0;
	bpf_task_release(before);
	return 1;
}

/* Whoever was there before has gone, it takes for granted, as the element is new. */
SEC("syscall")
int sit_down(u32 *key)
{
	struct seat fresh = {};
	u32 at = *key & 3;

	if (bpf_map_update_elem(&seats, &at, &fresh, BPF_NOEXIST))
		return 0;
	return seat(at);
}

SEC("syscall")
int sit_anywhere(u32 *key)
{
	struct seat fresh = {};
	u32 at = *key & 3;

	bpf_map_update_elem(&seats, &at, &fresh, BPF_NOEXIST);
	seat(at);
	return 0;
}

SEC("syscall")
int stand_up(u32 *key)
{
	u32 at = *key & 3;

	bpf_map_delete_elem(&seats, &at);
	return 0;
}

/* A task that exits leaves its seat to the next one. */
SEC("tp_btf/sched_process_exit")
int on_exit(u64 *args)
{
	struct task_struct *task = (void *)args[0];

	seat(task->pid & 3);
	return 0;
}
