// SPDX-License-Identifier: MIT
// What generated programs about ownership stand on besides maps.bpf.c: more kinds of kptrs, timers, work, storages.
#include "maps.bpf.c"

enum { BPF_MAP_TYPE_USER_RINGBUF = 31, BPF_MAP_TYPE_CGRP_STORAGE = 32 };

struct bpf_crypto_ctx {
	u32 block_size;
} __attribute__((preserve_access_index));

struct counters {
	u64 hits;
	u64 misses;
};

struct kept {
	u64 before;
	struct cgroup __kptr *cgroup;
	struct counters __percpu_kptr *counters;
	struct bpf_crypto_ctx __kptr *crypto;
	struct item __kptr *item;
	u64 after;
};

struct timed {
	struct bpf_timer timer;
	struct bpf_wq work;
	struct task_struct __kptr *task;
	u64 count;
};

MAP(kept_array, BPF_MAP_TYPE_ARRAY, 4, kept);
MAP(kept_hash, BPF_MAP_TYPE_HASH, 8, kept);
MAP(timed_array, BPF_MAP_TYPE_ARRAY, 4, timed);

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_ring SEC(".maps");

#define STORAGE(name, kind) \
	struct { __uint(type, kind); __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, u32); __type(value, struct held); } name SEC(".maps")

STORAGE(task_notes, BPF_MAP_TYPE_TASK_STORAGE);
STORAGE(cgroup_notes, BPF_MAP_TYPE_CGRP_STORAGE);

static __noinline u64 fn_ref(u64 object) { return object + 1; }
static __noinline int fn_tick(void *map, u32 *key, struct timed *value) { return *key + value->count; }

SEC("syscall")
int owner(struct counters *counters)
{
	struct bpf_crypto_ctx *crypto = (void *)counters;
	struct cgroup *cgroup = (void *)counters;

	return fn_ref(crypto->block_size) + fn_tick(counters, (u32 *)counters, (struct timed *)counters) + counters->hits + cgroup->level;
}
