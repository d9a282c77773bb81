// SPDX-License-Identifier: MIT
// What processes have open: a line a descriptor, as an iterator program prints it. And who may fork.
#include "run.h"

static long (*const bpf_seq_printf)(void *seq, const char *fmt, u32 size, const void *data, u32 len) = (void *)126;
struct file;
static struct socket *(*const bpf_sock_from_file)(struct file *file) = (void *)162;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; u64 session_id, seq_num; };
struct sock_common { u16 skc_num; };
struct sock { struct sock_common __sk_common; };
struct socket { struct sock *sk; };
struct bpf_iter__task_file { struct bpf_iter_meta *meta; struct task_struct *task; u32 fd; struct file *file; };
#pragma clang attribute pop

SEC("iter/task_file")
int each_file(struct bpf_iter__task_file *ctx)
{
	static const char line[] = "%d %d port %d\n", end[] = "end\n";
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	u64 args[3] = {};

	if (!task || !file) {
		bpf_seq_printf(ctx->meta->seq, end, sizeof(end), NULL, 0);
		return 0;
	}
	args[0] = task->tgid;
	args[1] = ctx->fd;
	socket = bpf_sock_from_file(file);
	if (socket)
		args[2] = socket->sk->__sk_common.skc_num;
	bpf_seq_printf(ctx->meta->seq, line, sizeof(line), args, sizeof(args));
	return 0;
}

bool is_full;

SEC("lsm/task_alloc")
int may_fork(u64 *args)
{
	return is_full ? -11 : 0;
}
