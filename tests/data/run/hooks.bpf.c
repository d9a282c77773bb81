// SPDX-License-Identifier: MIT
// Programs at functions, LSM hooks, events, iterators, and a struct of operations.
#include "run.h"

static long (*const bpf_seq_printf)(void *seq, const char *fmt, u32 size, const void *data, u32 len) = (void *)126;
static long (*const bpf_seq_write)(void *seq, const void *data, u32 len) = (void *)127;
static u64 (*const bpf_get_func_ip)(void *ctx) = (void *)173;
static u64 (*const bpf_get_attach_cookie)(void *ctx) = (void *)174;
static long (*const bpf_get_func_arg)(void *ctx, u32 n, u64 *value) = (void *)183;
static long (*const bpf_get_func_ret)(void *ctx, u64 *value) = (void *)184;
static long (*const bpf_get_func_arg_cnt)(void *ctx) = (void *)185;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; u64 session_id, seq_num; };
struct bpf_iter__task { struct bpf_iter_meta *meta; struct task_struct *task; };
struct bpf_iter__cgroup { struct bpf_iter_meta *meta; struct cgroup *cgroup; };
struct bpf_map { u32 id, max_entries; };
struct bpf_iter__bpf_map_elem { struct bpf_iter_meta *meta; struct bpf_map *map; void *key; void *value; };
struct pt_regs { unsigned long di, si, ax; };
#pragma clang attribute pop

extern s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

u64 trail;
u64 seen_arg, seen_ret, seen_cookie, seen_ip;
s64 answer;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} numbers SEC(".maps");

#define TRAIL(digit) (trail = trail * 10 + (digit))

SEC("fentry/bpf_modify_return_test")
int at_entry(u64 *ctx)
{
	u64 ret;

	TRAIL(1);
	bpf_get_func_arg(ctx, 0, &seen_arg);
	seen_cookie = bpf_get_attach_cookie(ctx);
	seen_ip = bpf_get_func_ip(ctx);
	if (bpf_get_func_arg_cnt(ctx) != 2 || bpf_get_func_ret(ctx, &ret) != -95)
		TRAIL(9);
	return 0;
}

SEC("fmod_ret/bpf_modify_return_test")
int instead(u64 *ctx)
{
	TRAIL(2);
	return answer;
}

SEC("fexit/bpf_modify_return_test")
int at_exit(u64 *ctx)
{
	TRAIL(3);
	bpf_get_func_ret(ctx, &seen_ret);
	if ((int)ctx[2] != (int)seen_ret)
		TRAIL(9);
	return 0;
}

SEC("kprobe/bpf_modify_return_test")
int probe(struct pt_regs *regs)
{
	TRAIL(4);
	seen_arg += regs->si;
	return 0;
}

SEC("kretprobe/bpf_modify_return_test")
int ret_probe(struct pt_regs *regs)
{
	TRAIL(5);
	seen_ret += regs->ax;
	return 0;
}

SEC("lsm/file_open")
int first(u64 *ctx)
{
	TRAIL(1);
	return answer == -13 ? -13 : 0;
}

SEC("lsm/file_open")
int second(u64 *ctx)
{
	TRAIL(2);
	return 0;
}

struct record { u64 common; u32 pid; };

SEC("tp/some/event")
int on_event(struct record *record)
{
	seen_arg = record->pid;
	return 0;
}

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	static const char line[] = "%llu %d\n", end[] = "end\n";
	struct task_struct *task = ctx->task;
	u64 args[2];

	if (!task) {
		bpf_seq_write(ctx->meta->seq, end, sizeof(end) - 1);
		return 0;
	}
	args[0] = ctx->meta->seq_num;
	args[1] = task->pid;
	bpf_seq_printf(ctx->meta->seq, line, sizeof(line), args, sizeof(args));
	return 0;
}

SEC("iter/cgroup")
int each_cgroup(struct bpf_iter__cgroup *ctx)
{
	static const char line[] = "%llu ";
	struct cgroup *cgroup = ctx->cgroup;
	u64 id;

	if (!cgroup)
		return 0;
	id = cgroup->kn->id;
	bpf_seq_printf(ctx->meta->seq, line, sizeof(line), &id, sizeof(id));
	return 0;
}

// Doubles every value.
SEC("iter/bpf_map_elem")
int each_element(struct bpf_iter__bpf_map_elem *ctx)
{
	u64 *value = ctx->value;

	if (!value) {
		answer = bpf_map_sum_elem_count(ctx->map);
		return 0;
	}
	*value *= 2;
	return 0;
}

static __always_inline void put(u32 key)
{
	u64 value = key * 10;

	bpf_map_update_elem(&numbers, &key, &value, 0);
}

SEC("syscall")
int fill(void *ctx)
{
	put(1);
	put(2);
	put(3);
	return bpf_map_sum_elem_count((struct bpf_map *)&numbers) == 3 ? 0 : __LINE__;
}
