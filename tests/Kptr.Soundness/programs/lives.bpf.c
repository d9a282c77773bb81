// SPDX-License-Identifier: MIT
// A program for each map, which does one operation on it: what programs do while values live and die. A real kernel and
// a modelled one do the same (Lives).
#include "../../data/run/run.h"

#define BPF_MAP_TYPE_PERCPU_HASH 5
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_LRU_PERCPU_HASH 10
#define BPF_MAP_TYPE_RHASH 35
#define BPF_F_NO_COMMON_LRU 2

enum { ENTRIES = 4, MANY = 32, MISSING = 2, GONE = 3, CPUS = 2 };

enum op {
	PUT, TAKE, LOOK, READ, WRITE, UPDATE, DELETE, EACH, LATE,
	SELF,									/* storages */
	PUSH, PUSH_BACK, POP, POP_BACK, ADD, FIRST, BOTH, MOVE, STASH, UNSTASH, NEST, UNNEST,	/* lists and trees */
	INIT, CALL, START, CANCEL, WQ_INIT, WQ_CALL, WQ_START,			/* timers and work */
	CELL_NEW, CELL_DROP, CELL_READ, CELL_WRITE,				/* objects per CPU */
	SUBMIT, DISCARD, DYN_SUBMIT, DYN_DISCARD, OUTPUT, QUERY, DRAIN,	/* rings */
};

struct args {
	u32 op;
	u32 key;
	u64 value;
	u64 flags;
	u32 cpu;
	u32 pad;
	s64 result;
	u64 owner;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct refcount_struct { struct { int counter; } refs; };
struct task_struct___counted { struct refcount_struct rcu_users; };
#pragma clang attribute pop

struct plain { u64 first; u64 last; };
struct kept { u64 first; struct task_struct __kptr *task; u64 last; };
struct twice { struct task_struct __kptr *task; u64 first; u64 last; struct task_struct __kptr *other; };
struct locked { u64 first; struct bpf_spin_lock lock; u32 pad; struct task_struct __kptr *task; u64 last; };

static void *(*const bpf_map_lookup_percpu_elem)(void *map, const void *key, u32 cpu) = (void *)195;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

// The value: of a CPU, where each has its own.
#define OF_ALL(map, key, cpu) bpf_map_lookup_elem(map, key)
#define OF_CPU(map, key, cpu) bpf_map_lookup_percpu_elem(map, key, cpu)

static __always_inline s64 swap(struct task_struct __kptr **slot, u32 puts)
{
	struct task_struct *task = NULL;

	if (puts) {
		task = bpf_task_acquire(bpf_get_current_task_btf());
		if (!task)
			return -1;
	}
	task = bpf_kptr_xchg(slot, task);
	if (!task)
		return 0;
	bpf_task_release(task);
	return 1;
}

static __always_inline s64 looks(struct task_struct __kptr **slot)
{
	bpf_rcu_read_lock();
	s64 found = *slot != NULL;
	bpf_rcu_read_unlock();
	return found;
}

// What is stored through an address that was found before the value ended.
#define PUT_LATE(map, a, slot) do {										\
	long error = bpf_map_delete_elem(map, &key);							\
	(a)->result = error ? error : swap(slot, 1);							\
} while (0)

#define NO_SLOTS(map, a, e) do { } while (0)
#define ONE_SLOT(map, a, e) do {									\
	switch ((a)->op) {										\
	case PUT: (a)->result = swap(&(e)->task, 1); break;						\
	case TAKE: (a)->result = swap(&(e)->task, 0); break;					\
	case LOOK: (a)->result = looks(&(e)->task); break;						\
	case LATE: PUT_LATE(map, a, &(e)->task); break;						\
	}												\
} while (0)
#define TWO_SLOTS(map, a, e) do {									\
	ONE_SLOT(map, a, e);										\
	switch ((a)->op) {										\
	case PUT: (a)->result |= swap(&(e)->other, 1) << 1; break;					\
	case TAKE: (a)->result |= swap(&(e)->other, 0) << 1; break;					\
	case LOOK: (a)->result |= looks(&(e)->other) << 1; break;					\
	}												\
} while (0)

#define LIFE(name, map_type, made_with, of, entry, slots) SIZED_LIFE(name, map_type, made_with, ENTRIES, of, entry, slots)
#define SIZED_LIFE(name, map_type, made_with, entries, of, entry, slots)				\
struct {												\
	__uint(type, map_type);										\
	__uint(map_flags, made_with);									\
	__uint(max_entries, entries);									\
	__type(key, u32);										\
	__type(value, struct entry);									\
} name SEC(".maps");											\
static long each_##name(void *map, u32 *key, struct entry *e, struct args *a)				\
{													\
	a->value += e->first;										\
	a->result++;											\
	return 0;											\
}													\
SEC("syscall") int act_##name(struct args *a)								\
{													\
	struct entry given = {};									\
	struct entry *e;										\
	u32 key = a->key;										\
													\
	a->result = MISSING;										\
	given.first = given.last = a->value;								\
	if (a->op == UPDATE) {										\
		a->result = bpf_map_update_elem(&name, &key, &given, a->flags);			\
		return 0;										\
	}												\
	if (a->op == DELETE) {										\
		a->result = bpf_map_delete_elem(&name, &key);					\
		return 0;										\
	}												\
	if (a->op == EACH) {										\
		struct args sum = {};									\
		long error = bpf_for_each_map_elem(&name, each_##name, &sum, a->flags);			\
		a->value = sum.value;									\
		a->result = error < 0 ? error : sum.result;						\
		return 0;										\
	}												\
	e = of(&name, &key, a->cpu);										\
	if (!e)												\
		return 0;										\
	if (a->op == READ) {										\
		a->value = e->first;									\
		a->result = e->first == e->last;							\
	} else if (a->op == WRITE) {									\
		e->first = e->last = a->value;								\
		a->result = 0;										\
	}												\
	slots(&name, a, e);										\
	return 0;											\
}

#define LIVES(entry, slots)										\
	LIFE(array_##entry, BPF_MAP_TYPE_ARRAY, 0, OF_ALL, entry, slots)				\
	LIFE(hash_##entry, BPF_MAP_TYPE_HASH, 0, OF_ALL, entry, slots)					\
	LIFE(hashalloc_##entry, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, OF_ALL, entry, slots)

#define MORE_LIVES(entry, slots)									\
	LIVES(entry, slots)										\
	LIFE(lru_##entry, BPF_MAP_TYPE_LRU_HASH, 0, OF_ALL, entry, slots)				\
	LIFE(lruown_##entry, BPF_MAP_TYPE_LRU_HASH, BPF_F_NO_COMMON_LRU, OF_ALL, entry, slots)		\
	LIFE(parray_##entry, BPF_MAP_TYPE_PERCPU_ARRAY, 0, OF_CPU, entry, slots)			\
	LIFE(phash_##entry, BPF_MAP_TYPE_PERCPU_HASH, 0, OF_CPU, entry, slots)				\
	LIFE(phashalloc_##entry, BPF_MAP_TYPE_PERCPU_HASH, BPF_F_NO_PREALLOC, OF_CPU, entry, slots)	\
	LIFE(plru_##entry, BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, OF_CPU, entry, slots)			\
	LIFE(plruown_##entry, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_F_NO_COMMON_LRU, OF_CPU, entry, slots)

MORE_LIVES(plain, NO_SLOTS)
MORE_LIVES(kept, ONE_SLOT)
MORE_LIVES(twice, TWO_SLOTS)
LIVES(locked, ONE_SLOT)

// Of 7.2.
#define RHASH_LIFE(entry, slots) LIFE(rhash_##entry, BPF_MAP_TYPE_RHASH, BPF_F_NO_PREALLOC, OF_ALL, entry, slots)
RHASH_LIFE(plain, NO_SLOTS)
RHASH_LIFE(kept, ONE_SLOT)
RHASH_LIFE(twice, TWO_SLOTS)
RHASH_LIFE(locked, ONE_SLOT)

// Room for more than one batch of free elements.
#define BIG_LIFE(kind, map_type, made_with, of, entry, slots)						\
	SIZED_LIFE(kind##_##entry, map_type, made_with, MANY, of, entry, slots)
#define BIG_LIVES(entry, slots)										\
	BIG_LIFE(lrubig, BPF_MAP_TYPE_LRU_HASH, 0, OF_ALL, entry, slots)				\
	BIG_LIFE(lrubigown, BPF_MAP_TYPE_LRU_HASH, BPF_F_NO_COMMON_LRU, OF_ALL, entry, slots)		\
	BIG_LIFE(plrubig, BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, OF_CPU, entry, slots)			\
	BIG_LIFE(plrubigown, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_F_NO_COMMON_LRU, OF_CPU, entry, slots)
BIG_LIVES(plain, NO_SLOTS)
BIG_LIVES(kept, ONE_SLOT)

#include "lives-owned.h"
#include "lives-graphs.h"
#include "lives-timed.h"
#include "lives-rings.h"

// How many references the caller's task has.
SEC("syscall") int count(struct args *a)
{
	struct task_struct___counted *task = bpf_get_current_task_btf();

	a->result = task->rcu_users.refs.counter;
	return 0;
}
