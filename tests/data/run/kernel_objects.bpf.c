// SPDX-License-Identifier: MIT
// References on the kernel's own objects: tasks, cgroups, CPU masks; local storage; a tail call.
#include "run.h"

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct cgroup *bpf_cgroup_from_id(u64 id) __ksym;
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
extern long bpf_task_under_cgroup(struct task_struct *task, struct cgroup *ancestor) __ksym;
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_test_and_set_cpu(u32 cpu, struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *mask) __ksym;
extern u32 bpf_cpumask_first(const struct cpumask *mask) __ksym;
extern u32 bpf_cpumask_weight(const struct cpumask *mask) __ksym;
extern bool bpf_cpumask_and(struct bpf_cpumask *dst, const struct cpumask *a, const struct cpumask *b) __ksym;
extern void bpf_cpumask_copy(struct bpf_cpumask *dst, const struct cpumask *src) __ksym;
extern bool bpf_cpumask_equal(const struct cpumask *a, const struct cpumask *b) __ksym;
extern void bpf_cpumask_clear(struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_empty(const struct cpumask *mask) __ksym;

struct note {
	struct task_struct __kptr *friend;
	u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct note);
} notes SEC(".maps");

struct cgroup_slot {
	struct cgroup __kptr *cgroup;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cgroup_slot);
} parent SEC(".maps");

// Notes in the storage of task args[0] that task args[1] is its friend.
SEC("syscall")
int befriend(s32 *args)
{
	struct task_struct *task, *friend, *old;
	struct note *note;
	int line = 0;

	task = bpf_task_from_pid(args[0]);
	CHECK(task);
	friend = bpf_task_from_pid(args[1]);
	if (!friend) {
		bpf_task_release(task);
		return __LINE__;
	}

	note = bpf_task_storage_get(&notes, task, NULL, 1);
	if (note) {
		note->count++;
		old = bpf_kptr_xchg(&note->friend, friend);
		if (old)
			bpf_task_release(old);
	} else {
		bpf_task_release(friend);
		line = __LINE__;
	}

	bpf_task_release(task);
	return line;
}

SEC("syscall")
int no_such_pid(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(99999);

	if (task) {
		bpf_task_release(task);
		return __LINE__;
	}
	return 0;
}

// Keeps the parent of the cgroup with this id; tells whether the current task is below it.
SEC("syscall")
int keep_parent(u64 *id)
{
	struct cgroup *cgroup, *above, *old;
	struct cgroup_slot *slot;
	u32 zero = 0;
	long under;

	slot = bpf_map_lookup_elem(&parent, &zero);
	CHECK(slot);
	cgroup = bpf_cgroup_from_id(*id);
	CHECK(cgroup);
	above = bpf_cgroup_ancestor(cgroup, cgroup->level - 1);
	bpf_cgroup_release(cgroup);
	CHECK(above);
	under = bpf_task_under_cgroup(bpf_get_current_task_btf(), above);
	old = bpf_kptr_xchg(&slot->cgroup, above);
	if (old)
		bpf_cgroup_release(old);
	return under ? 0 : __LINE__;
}

static __always_inline int check_masks(struct bpf_cpumask *a, struct bpf_cpumask *b)
{
	CHECK(bpf_cpumask_empty((void *)a));
	bpf_cpumask_set_cpu(1, a);
	CHECK(bpf_cpumask_test_cpu(1, (void *)a) && !bpf_cpumask_test_cpu(0, (void *)a));
	CHECK(bpf_cpumask_test_and_set_cpu(1, a) && !bpf_cpumask_test_and_set_cpu(0, a));
	CHECK(bpf_cpumask_weight((void *)a) == 2);
	bpf_cpumask_set_cpu(4000, a);
	CHECK(bpf_cpumask_weight((void *)a) == 2);
	bpf_cpumask_set_cpu(1, b);
	CHECK(bpf_cpumask_and(b, (void *)a, (void *)b));
	CHECK(bpf_cpumask_first((void *)b) == 1);
	bpf_cpumask_copy(b, (void *)a);
	CHECK(bpf_cpumask_equal((void *)a, (void *)b));
	bpf_cpumask_clear(b);
	CHECK(bpf_cpumask_empty((void *)b));
	return 0;
}

SEC("syscall")
int masks(void *ctx)
{
	struct bpf_cpumask *a, *b;
	int line;

	a = bpf_cpumask_create();
	CHECK(a);
	b = bpf_cpumask_create();
	if (!b) {
		bpf_cpumask_release(a);
		return __LINE__;
	}
	line = check_masks(a, b);
	bpf_cpumask_release(a);
	bpf_cpumask_release(b);
	return line;
}

SEC("raw_tp/task_newtask")
int jumped_to(void *ctx)
{
	return 77;
}

int jumped_to(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	int (*values[])(void *);
} jumps SEC(".maps") = {
	.values = { [1] = jumped_to },
};

SEC("raw_tp/task_newtask")
int jump(void *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	bpf_tail_call(ctx, &jumps, 1);
	return __LINE__;
}

SEC("raw_tp/task_newtask")
int deep(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	int (*values[])(void *);
} itself SEC(".maps") = {
	.values = { [0] = deep },
};

u64 entered;

static __noinline int deeper(void *ctx)
{
	entered++;
	bpf_tail_call(ctx, &itself, 0);
	return 1;
}

// Calls itself from a subprogram as often as is allowed; every call returns to where it came from.
SEC("raw_tp/task_newtask")
int deep(void *ctx)
{
	int below = deeper(ctx);

	return below + 1;
}
