// SPDX-License-Identifier: MIT
// The kernel's own linked lists, walked by programs: children, threads, tasks of a cgroup, child cgroups.
#include "run.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct list_head { struct list_head *next, *prev; };
struct signal_struct { struct list_head thread_head; };
struct task_struct___lists { struct list_head children, sibling, tasks, thread_node, cg_list; struct signal_struct *signal; s32 pid; struct css_set *cgroups; };
struct css_set___lists { struct list_head tasks, dying_tasks; };
struct cgroup_subsys_state___lists { struct list_head sibling, children; struct cgroup *cgroup; };
struct cgroup___lists { struct cgroup_subsys_state___lists self; struct kernfs_node *kn; };
#pragma clang attribute pop

#define MAX 16
#define offset_of(type, member) __builtin_preserve_field_info(((type *)0)->member, 0)

u64 seen;

// Adds up the number at `off_value` of every element of a list, times ten each, so that the order shows.
static __always_inline u64 walk(struct list_head *head, u32 off_link, u32 off_value)
{
	struct list_head *at;
	u64 sum = 0;
	u32 value;
	int i;

	bpf_probe_read_kernel(&at, sizeof(at), head);
	for (i = 0; i < MAX && at != head; i++) {
		bpf_probe_read_kernel(&value, sizeof(value), (void *)at - off_link + off_value);
		sum = sum * 1000 + value;
		bpf_probe_read_kernel(&at, sizeof(at), at);
	}
	return i < MAX ? sum : -1;
}

#define WALK(head, link) walk((void *)(head), offset_of(struct task_struct___lists, link), offset_of(struct task_struct___lists, pid))

static __always_inline struct task_struct___lists *current(void)
{
	return bpf_get_current_task_btf();
}

SEC("syscall")
int children(void *ctx)
{
	seen = WALK(&current()->children, sibling);
	return 0;
}

SEC("syscall")
int threads(void *ctx)
{
	seen = WALK(&current()->signal->thread_head, thread_node);
	return 0;
}

// From the first process on, which is not met itself.
SEC("syscall")
int processes(void *ctx)
{
	seen = WALK(&current()->tasks, tasks);
	return 0;
}

SEC("syscall")
int of_cgroup(void *ctx)
{
	struct css_set___lists *set = (void *)current()->cgroups;

	seen = WALK(&set->tasks, cg_list) * 1000000 + WALK(&set->dying_tasks, cg_list);
	return 0;
}

// Counts the child cgroups of the current task's.
SEC("syscall")
int child_cgroups(void *ctx)
{
	struct cgroup___lists *cgroup = (void *)((struct css_set *)current()->cgroups)->dfl_cgrp;
	struct list_head *head = &cgroup->self.children, *at;
	int i;

	bpf_probe_read_kernel(&at, sizeof(at), head);
	for (i = 0; i < MAX && at != head; i++)
		bpf_probe_read_kernel(&at, sizeof(at), at);
	seen = i;
	return 0;
}
