// SPDX-License-Identifier: MIT
// Open-coded iterators, loops and walks over maps.
#include "run.h"

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *words, u32 count) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start, unsigned int flags) __ksym;
extern struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it) __ksym;
extern void bpf_iter_css_destroy(struct bpf_iter_css *it) __ksym;
extern struct cgroup *bpf_cgroup_from_id(u64 id) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgrp) __ksym;

extern int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *css, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it) __ksym;
extern void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it) __ksym;
extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task, u64 addr) __ksym;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it) __ksym;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} numbers SEC(".maps");

u64 seen;

SEC("syscall")
int num_iter(void *ctx)
{
	struct bpf_iter_num it;
	int *v, sum = 0;

	bpf_iter_num_new(&it, 3, 7);
	while ((v = bpf_iter_num_next(&it)))
		sum = (sum * 10 + *v) & 0xffff;
	bpf_iter_num_destroy(&it);
	CHECK(sum == 3456);

	CHECK(bpf_iter_num_new(&it, 5, 4) == -22 || ({ bpf_iter_num_destroy(&it); 0; }));
	v = bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	CHECK(!v);
	return 0;
}

SEC("syscall")
int bits_iter(void *ctx)
{
	u64 words[2] = { 1ull << 5 | 1ull << 63, 1ull << 1 };
	struct bpf_iter_bits it;
	int *bit, sum = 0;

	bpf_iter_bits_new(&it, words, 2);
	while ((bit = bpf_iter_bits_next(&it)))
		sum = (sum + *bit) & 0xfff;
	bpf_iter_bits_destroy(&it);
	CHECK(sum == 5 + 63 + 65);

	sum = 0;
	bpf_iter_bits_new(&it, words, 1);
	while ((bit = bpf_iter_bits_next(&it)))
		sum = (sum + *bit) & 0xfff;
	bpf_iter_bits_destroy(&it);
	CHECK(sum == 5 + 63);
	return 0;
}

SEC("syscall")
int task_iter(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task;
	u64 sum = 0;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, NULL, 1);
	while ((task = bpf_iter_task_next(&it)))
		sum += task->pid;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	seen = sum;
	return 0;
}

SEC("syscall")
int css_iter(u64 *id)
{
	struct cgroup_subsys_state *css;
	struct bpf_iter_css it;
	struct cgroup *top;
	u64 count = 0;

	top = bpf_cgroup_from_id(*id);
	CHECK(top);
	bpf_rcu_read_lock();
	bpf_iter_css_new(&it, &top->self, 2);
	while ((css = bpf_iter_css_next(&it)))
		count++;
	bpf_iter_css_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(top);
	seen = count;
	return 0;
}

static long add_index(u32 index, u64 *sum)
{
	*sum += index;
	return index == 4;
}

static long add_elem(void *map, u32 *key, u64 *value, u64 *sum)
{
	*sum += *key * 1000 + *value;
	return 0;
}

SEC("syscall")
int loops(void *ctx)
{
	u64 sum = 0, value = 5;
	u32 key = 1;

	CHECK(bpf_loop(100, add_index, &sum, 0) == 5);
	CHECK(sum == 10);
	CHECK(bpf_loop(1 << 30, add_index, &sum, 0) == -7);

	bpf_map_update_elem(&numbers, &key, &value, 0);
	key = 2;
	value = 6;
	bpf_map_update_elem(&numbers, &key, &value, 0);
	sum = 0;
	CHECK(bpf_for_each_map_elem(&numbers, add_elem, &sum, 0) == 2);
	CHECK(sum == 3011);
	return 0;
}

// Sums the pids of the tasks in a cgroup, below it not.
SEC("syscall")
int css_task_iter(u64 *id)
{
	struct bpf_iter_css_task it;
	struct task_struct *task;
	struct cgroup *cgroup;
	u64 sum = 0;

	cgroup = bpf_cgroup_from_id(*id);
	CHECK(cgroup);
	bpf_iter_css_task_new(&it, &cgroup->self, 0);
	while ((task = bpf_iter_css_task_next(&it)))
		sum += task->pid;
	bpf_iter_css_task_destroy(&it);
	bpf_cgroup_release(cgroup);
	seen = sum;
	return 0;
}

// Sums the pages of the current task's mappings from an address on.
SEC("syscall")
int vma_iter(u64 *from)
{
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;
	u64 pages = 0;

	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), *from);
	while ((vma = bpf_iter_task_vma_next(&it)))
		pages += (vma->vm_end - vma->vm_start) >> 12;
	bpf_iter_task_vma_destroy(&it);
	seen = pages;
	return 0;
}

static long (*const bpf_find_vma)(void *task, u64 addr, void *callback, void *ctx, u64 flags) = (void *)180;

static long on_vma(struct task_struct *task, struct vm_area_struct *vma, u64 *pages)
{
	*pages += (vma->vm_end - vma->vm_start) >> 12;
	return 0;
}

// Finds the current task's mapping at an address, and none in front of it.
SEC("raw_tp/task_newtask")
int find_vma(u64 *ctx)
{
	u64 pages = 0;

	CHECK(bpf_find_vma(bpf_get_current_task_btf(), 0x12000, on_vma, &pages, 0) == 0);
	CHECK(bpf_find_vma(bpf_get_current_task_btf(), 0x9fff, on_vma, &pages, 0) == -2);
	seen = pages;
	return 0;
}
