// SPDX-License-Identifier: MIT
// Global variables that user space sets before loading, and shares while programs run.
#include "run.h"

extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern u32 CONFIG_HZ __attribute__((section(".kconfig"), weak));

enum mode { COUNT = 1, ADD = 2 };
struct pair { u32 first; u64 second; };

const volatile bool keeps = 0;
const volatile s32 target_pid = 0;
const volatile char prefix[8] = "old";
volatile s32 step = 3;
volatile enum mode mode = COUNT;
volatile s32 of_its_own SEC(".data.own") = 5;
volatile u64 hits;
volatile struct pair pair;
volatile u8 flags;
volatile u64 config;

static volatile u32 twice = 1;
static volatile u32 *volatile other_twice(void)
{
	static volatile u32 twice SEC(".data.own") = 2;

	return &twice;
}

private(A) struct bpf_spin_lock lock;
private(A) struct task_struct __kptr *kept;

// Which branches there are is decided by a constant: where "keeps" is set, a reference is lost.
SEC("syscall")
int work(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(target_pid ? target_pid : 1);

	hits += mode == ADD ? step : 1;
	pair.second += pair.first;
	config = CONFIG_HZ;
	flags = prefix[0];
	twice += *other_twice() + of_its_own;
	if (!task)
		return -1;
	if (keeps)
		return 0;
	bpf_task_release(task);
	return target_pid;
}

SEC("syscall")
int keep(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1), *old;

	if (!task)
		return -1;
	old = bpf_kptr_xchg(&kept, task);
	if (old)
		bpf_task_release(old);
	return 0;
}
