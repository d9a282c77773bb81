/* Map definitions of every form, data sections and kconfig values. */
#include "bpf.h"

struct task_struct {
	int pid;
} __core;

struct entry {
	u64 seen;
	struct task_struct __kptr *task;
};

struct {
	__uint(type, 1);
	__uint(max_entries, 64);
	__uint(map_flags, 1);
	__type(key, u32);
	__type(value, struct entry);
	__uint(pinning, 1);
} tasks SEC(".maps");

struct inner {
	__uint(type, 2);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 8);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, 12);
	__uint(max_entries, 3);
	__type(key, u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [0] = &first, [2] = &second },
};

int tail(void *ctx);

struct {
	__uint(type, 3);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = { [1] = (void *)&tail },
};

/* 5000 bytes is no ring's size: the loader rounds up. */
struct {
	__uint(type, 27);
	__uint(max_entries, 5000);
} events SEC(".maps");

struct {
	__uint(type, 30);
	__uint(max_entries, 100);
	__uint(value_size, 8);
	__uint(map_extra, 3);
} bloom SEC(".maps");

int counter = 7;
static int hidden_counter;
const volatile int limit = 99;
int zeroed;
u64 custom SEC(".data.custom") = 5;

extern bool CONFIG_BPF_SYSCALL __kconfig;
extern u32 CONFIG_HZ __kconfig;
extern u64 CONFIG_NOT_THERE __kconfig __weak;
extern int LINUX_KERNEL_VERSION __kconfig;

SEC("socket")
int tail(void *ctx)
{
	return counter;
}

SEC("socket")
int uses_everything(void *ctx)
{
	u32 key = 0;
	struct entry *e = bpf_map_lookup_elem(&tasks, &key);

	if (!e || !CONFIG_BPF_SYSCALL)
		return CONFIG_HZ;
	hidden_counter += (int)e->seen;
	zeroed = hidden_counter;
	if (e->task)
		zeroed += e->task->pid;
	custom += CONFIG_NOT_THERE;
	bpf_tail_call(ctx, &jumps, 1);
	bpf_map_lookup_elem(&outer, &key);
	return limit + LINUX_KERNEL_VERSION;
}
