/* SPDX-License-Identifier: MIT */
/* What the programs of this folder need: no kernel header, no libbpf. A syscall program returns 0, or the line that failed. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;
typedef _Bool bool;
#define NULL ((void *)0)
#define true 1

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __hidden __attribute__((visibility("hidden")))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __ksym __attribute__((section(".ksyms")))
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - __builtin_offsetof(type, member)))

#define CHECK(cond) do { if (!(cond)) return __LINE__; } while (0)

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

#define BPF_NOEXIST 1
#define BPF_F_NO_PREALLOC 1

struct bpf_spin_lock { u32 val; };
struct bpf_timer { u64 __opaque[2]; };
struct bpf_wq { u64 __opaque[2]; };
struct bpf_list_head { u64 __opaque[2]; };
struct bpf_list_node { u64 __opaque[3]; };
struct bpf_rb_root { u64 __opaque[2]; };
struct bpf_rb_node { u64 __opaque[4]; };
struct bpf_refcount { u32 __opaque[1]; };
struct bpf_dynptr { u64 __opaque[2]; };
struct bpf_iter_num { u64 __opaque[1]; };
struct bpf_iter_bits { u64 __opaque[2]; };
struct bpf_iter_task { u64 __opaque[3]; };
struct bpf_iter_css { u64 __opaque[3]; };
struct bpf_iter_task_vma { u64 __opaque[1]; };
struct bpf_iter_css_task { u64 __opaque[1]; };

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static long (*const bpf_trace_printk)(const char *fmt, u32 size, ...) = (void *)6;
static u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;
static long (*const bpf_tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*const bpf_get_current_comm)(void *buf, u32 size) = (void *)16;
static u64 (*const bpf_get_current_cgroup_id)(void) = (void *)80;
static long (*const bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *)93;
static long (*const bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *)94;
static long (*const bpf_strtol)(const char *buf, u64 size, u64 flags, long *res) = (void *)105;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *src) = (void *)113;
static long (*const bpf_ringbuf_output)(void *map, void *data, u64 size, u64 flags) = (void *)130;
static void *(*const bpf_ringbuf_reserve)(void *map, u64 size, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *data, u64 flags) = (void *)132;
static void (*const bpf_ringbuf_discard)(void *data, u64 flags) = (void *)133;
static void *(*const bpf_per_cpu_ptr)(const void *ptr, u32 cpu) = (void *)153;
static void *(*const bpf_this_cpu_ptr)(const void *ptr) = (void *)154;
static void *(*const bpf_task_storage_get)(void *map, void *task, void *value, u64 flags) = (void *)156;
static long (*const bpf_task_storage_delete)(void *map, void *task) = (void *)157;
static void *(*const bpf_get_current_task_btf)(void) = (void *)158;
static long (*const bpf_for_each_map_elem)(void *map, void *callback, void *ctx, u64 flags) = (void *)164;
static long (*const bpf_snprintf)(char *str, u32 size, const char *fmt, u64 *data, u32 len) = (void *)165;
static long (*const bpf_timer_init)(struct bpf_timer *timer, void *map, u64 flags) = (void *)169;
static long (*const bpf_timer_set_callback)(struct bpf_timer *timer, void *callback) = (void *)170;
static long (*const bpf_timer_start)(struct bpf_timer *timer, u64 ns, u64 flags) = (void *)171;
static long (*const bpf_timer_cancel)(struct bpf_timer *timer) = (void *)172;
static long (*const bpf_loop)(u32 count, void *callback, void *ctx, u64 flags) = (void *)181;
static long (*const bpf_strncmp)(const char *s1, u32 size, const char *s2) = (void *)182;
static void *(*const bpf_kptr_xchg)(void *slot, void *ptr) = (void *)194;
static long (*const bpf_dynptr_from_mem)(void *data, u32 size, u64 flags, struct bpf_dynptr *ptr) = (void *)197;
static long (*const bpf_ringbuf_reserve_dynptr)(void *map, u32 size, u64 flags, struct bpf_dynptr *ptr) = (void *)198;
static void (*const bpf_ringbuf_submit_dynptr)(struct bpf_dynptr *ptr, u64 flags) = (void *)199;
static long (*const bpf_dynptr_read)(void *dst, u32 len, const struct bpf_dynptr *src, u32 off, u64 flags) = (void *)201;
static long (*const bpf_dynptr_write)(const struct bpf_dynptr *dst, u32 off, void *src, u32 len, u64 flags) = (void *)202;
static void *(*const bpf_dynptr_data)(const struct bpf_dynptr *ptr, u32 off, u32 len) = (void *)203;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct kernfs_node { u64 id; };
struct cgroup_subsys_state { struct cgroup *cgroup; int id; };
struct cgroup { struct cgroup_subsys_state self; int level; struct kernfs_node *kn; };
struct css_set { struct cgroup *dfl_cgrp; };
struct cpumask { unsigned long bits[128]; };
struct bpf_cpumask { struct cpumask cpumask; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; };
struct task_struct {
	s32 pid;
	s32 tgid;
	char comm[16];
	struct css_set *cgroups;
	const struct cpumask *cpus_ptr;
};
#pragma clang attribute pop

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void *bpf_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *kptr, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_percpu_obj_drop_impl(void *kptr, void *meta) __ksym;
#define bpf_obj_new(type) ((type *)bpf_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), NULL))
#define bpf_obj_drop(p) bpf_obj_drop_impl(p, NULL)
#define bpf_refcount_acquire(p) bpf_refcount_acquire_impl(p, NULL)
#define bpf_percpu_obj_new(type) ((type __percpu_kptr *)bpf_percpu_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), NULL))
#define bpf_percpu_obj_drop(p) bpf_percpu_obj_drop_impl(p, NULL)
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, u64 off) __ksym;
#define bpf_list_push_front(head, node) bpf_list_push_front_impl(head, node, NULL, 0)
#define bpf_list_push_back(head, node) bpf_list_push_back_impl(head, node, NULL, 0)
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, u64 off) __ksym;
#define bpf_rbtree_add(root, node, less) bpf_rbtree_add_impl(root, node, less, NULL, 0)
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;

char _license[] SEC("license") = "Dual MIT/GPL";
