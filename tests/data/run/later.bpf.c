// SPDX-License-Identifier: MIT
// Timers and work queues: callbacks that run after the program that set them.
#include "run.h"

extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (callback)(void *map, int *key, void *value),
				    unsigned int flags, void *aux) __ksym;

struct alarm {
	struct bpf_timer timer;
	u64 fired;
};

struct job {
	struct bpf_wq work;
	u64 ran;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct alarm);
} alarms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct job);
} jobs SEC(".maps");

static int on_timer(void *map, u32 *key, struct alarm *alarm)
{
	alarm->fired += 100 + *key;
	return 0;
}

SEC("syscall")
int start_timer(void *ctx)
{
	struct alarm fresh = {}, *alarm;
	u32 key = 7;

	bpf_map_update_elem(&alarms, &key, &fresh, 0);
	alarm = bpf_map_lookup_elem(&alarms, &key);
	CHECK(alarm);
	CHECK(bpf_timer_start(&alarm->timer, 1000, 0) == -22);
	CHECK(bpf_timer_init(&alarm->timer, &alarms, 1) == 0);
	CHECK(bpf_timer_init(&alarm->timer, &alarms, 1) == -16);
	CHECK(bpf_timer_start(&alarm->timer, 1000, 0) == -22);
	CHECK(bpf_timer_set_callback(&alarm->timer, on_timer) == 0);
	CHECK(bpf_timer_start(&alarm->timer, 1000, 0) == 0);
	return 0;
}

SEC("syscall")
int cancel_timer(void *ctx)
{
	struct alarm *alarm;
	u32 key = 7;

	alarm = bpf_map_lookup_elem(&alarms, &key);
	CHECK(alarm);
	CHECK(bpf_timer_cancel(&alarm->timer) == 1);
	CHECK(bpf_timer_cancel(&alarm->timer) == 0);
	CHECK(bpf_timer_start(&alarm->timer, 1000, 0) == -22);
	return 0;
}

static int on_work(void *map, int *key, void *value)
{
	struct job *job = value;

	job->ran += 10 + *key;
	return 0;
}

SEC("syscall")
int start_work(void *ctx)
{
	struct job *job;
	u32 key = 2;

	job = bpf_map_lookup_elem(&jobs, &key);
	CHECK(job);
	CHECK(bpf_wq_init(&job->work, &jobs, 0) == 0);
	CHECK(bpf_wq_set_callback_impl(&job->work, on_work, 0, NULL) == 0);
	CHECK(bpf_wq_start(&job->work, 0) == 0);
	return 0;
}
