/* SPDX-License-Identifier: MIT */
/* Storages of tasks and cgroups, and maps in maps: values that also end with whom they belong to. */
#pragma once

#define BPF_MAP_TYPE_ARRAY_OF_MAPS 12
#define BPF_MAP_TYPE_HASH_OF_MAPS 13
#define BPF_MAP_TYPE_CGRP_STORAGE 32
#define __array(name, val) typeof(val) *name[]

static void *(*const bpf_cgrp_storage_get)(void *map, void *cgroup, void *value, u64 flags) = (void *)210;
static long (*const bpf_cgrp_storage_delete)(void *map, void *cgroup) = (void *)211;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern struct cgroup *bpf_cgroup_from_id(u64 id) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgroup) __ksym;

#define TASK_OF(a) bpf_task_from_pid((a)->owner)
#define CGROUP_OF(a) bpf_cgroup_from_id((a)->owner)

// A task that is kept by its own value.
#define SELF_TASK(a, owner, slot) do {									\
	struct task_struct *task = bpf_task_acquire(owner);						\
	if (!task)											\
		break;											\
	task = bpf_kptr_xchg(slot, task);								\
	if (task)											\
		bpf_task_release(task);									\
	(a)->result = task != NULL;									\
} while (0)
#define NO_SELF(a, owner, slot) do { } while (0)

#define LATE_OWNED(del, map, a, owner, slot) do {							\
	long error = del(map, owner);									\
	(a)->result = error ? error : swap(slot, 1);							\
} while (0)

#define NO_OWNED(del, self, map, a, owner, e) do { } while (0)
#define ONE_OWNED(del, self, map, a, owner, e) do {							\
	switch ((a)->op) {										\
	case PUT: (a)->result = swap(&(e)->task, 1); break;						\
	case TAKE: (a)->result = swap(&(e)->task, 0); break;						\
	case LOOK: (a)->result = looks(&(e)->task); break;						\
	case SELF: self(a, owner, &(e)->task); break;							\
	case LATE: LATE_OWNED(del, map, a, owner, &(e)->task); break;					\
	}												\
} while (0)
#define TWO_OWNED(del, self, map, a, owner, e) do {							\
	ONE_OWNED(del, self, map, a, owner, e);								\
	switch ((a)->op) {										\
	case PUT: (a)->result |= swap(&(e)->other, 1) << 1; break;					\
	case TAKE: (a)->result |= swap(&(e)->other, 0) << 1; break;					\
	case LOOK: (a)->result |= looks(&(e)->other) << 1; break;					\
	}												\
} while (0)

#define OWNED(name, map_type, owner_type, of, get, del, put, self, entry, slots)			\
struct {												\
	__uint(type, map_type);										\
	__uint(map_flags, BPF_F_NO_PREALLOC);								\
	__type(key, s32);										\
	__type(value, struct entry);									\
} name SEC(".maps");											\
SEC("syscall") int act_##name(struct args *a)								\
{													\
	struct owner_type *owner = of(a);								\
	struct entry given = {};									\
	struct entry *e;										\
													\
	a->result = GONE;										\
	if (!owner)											\
		return 0;										\
	a->result = MISSING;										\
	given.first = given.last = a->value;								\
	if (a->op == DELETE) {										\
		a->result = del(&name, owner);								\
	} else if ((e = get(&name, owner, a->cpu ? &given : NULL, a->flags))) {				\
		if (a->op == READ) {									\
			a->value = e->first;								\
			a->result = e->first == e->last;						\
		} else if (a->op == WRITE) {								\
			e->first = e->last = a->value;							\
			a->result = 0;									\
		}											\
		slots(del, self, &name, a, owner, e);							\
	}												\
	put(owner);											\
	return 0;											\
}

#define OWNED_LIVES(entry, slots)									\
	OWNED(tstore_##entry, BPF_MAP_TYPE_TASK_STORAGE, task_struct, TASK_OF, bpf_task_storage_get,	\
	      bpf_task_storage_delete, bpf_task_release, SELF_TASK, entry, slots)			\
	OWNED(cstore_##entry, BPF_MAP_TYPE_CGRP_STORAGE, cgroup, CGROUP_OF, bpf_cgrp_storage_get,	\
	      bpf_cgrp_storage_delete, bpf_cgroup_release, NO_SELF, entry, slots)

OWNED_LIVES(plain, NO_OWNED)
OWNED_LIVES(kept, ONE_OWNED)
OWNED_LIVES(twice, TWO_OWNED)
OWNED_LIVES(locked, ONE_OWNED)

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
};

#define OUTER(name, map_type)										\
struct {												\
	__uint(type, map_type);										\
	__uint(max_entries, ENTRIES);									\
	__type(key, u32);										\
	__array(values, struct inner);									\
} name SEC(".maps");											\
SEC("syscall") int act_##name(struct args *a)								\
{													\
	struct kept *e;											\
	u32 key = a->key, zero = 0;									\
	void *inner;											\
													\
	a->result = MISSING;										\
	inner = bpf_map_lookup_elem(&name, &key);							\
	if (!inner)											\
		return 0;										\
	e = bpf_map_lookup_elem(inner, &zero);								\
	if (!e)												\
		return 0;										\
	switch (a->op) {										\
	case PUT: a->result = swap(&e->task, 1); break;							\
	case TAKE: a->result = swap(&e->task, 0); break;						\
	case LOOK: a->result = looks(&e->task); break;							\
	case READ: a->value = e->first; a->result = e->first == e->last; break;				\
	case WRITE: e->first = e->last = a->value; a->result = 0; break;				\
	}												\
	return 0;											\
}
OUTER(aofm_kept, BPF_MAP_TYPE_ARRAY_OF_MAPS)
OUTER(hofm_kept, BPF_MAP_TYPE_HASH_OF_MAPS)
