/* SPDX-License-Identifier: MIT */
/* Timers and work in values, and objects per CPU. */
#pragma once

extern int bpf_wq_init(struct bpf_wq *wq, void *map, u32 flags) __ksym;
#define __weak __attribute__((weak))
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (callback)(void *map, int *key, void *value), u32 flags,
				    void *aux) __ksym __weak;
extern int bpf_wq_set_callback(struct bpf_wq *wq, int (callback)(void *map, int *key, void *value),
			       u32 flags) __ksym __weak;    // of 7.2
#define WQ_SET(wq, callback)										\
	(bpf_wq_set_callback ? bpf_wq_set_callback(wq, callback, 0) : bpf_wq_set_callback_impl(wq, callback, 0, NULL))
extern int bpf_wq_start(struct bpf_wq *wq, u32 flags) __ksym;

struct timed {
	u64 first;
	struct bpf_timer timer;
	struct bpf_wq wq;
	struct task_struct __kptr *task;
	u64 last;
};

// Whoever is late counts itself, and gives back what is kept where the count is odd.
static __always_inline int late(struct timed *e, u64 by)
{
	e->first += by;
	e->last += by;
	if (e->first & 1)
		swap(&e->task, 0);
	return 0;
}

static int timer_ends(void *map, u32 *key, struct timed *e) { return late(e, 1); }
static int wq_runs(void *map, int *key, void *e) { return late(e, 1000001); }

#define TIMES(map, a, e) do {										\
	switch ((a)->op) {										\
	case INIT: (a)->result = bpf_timer_init(&(e)->timer, map, (a)->cpu & 1); break;			\
	case CALL: (a)->result = bpf_timer_set_callback(&(e)->timer, timer_ends); break;		\
	case START: (a)->result = bpf_timer_start(&(e)->timer, (a)->value, (a)->flags); break;		\
	case CANCEL: (a)->result = bpf_timer_cancel(&(e)->timer); break;				\
	case WQ_INIT: (a)->result = bpf_wq_init(&(e)->wq, map, 0); break;				\
	case WQ_CALL: (a)->result = WQ_SET(&(e)->wq, wq_runs); break;			\
	case WQ_START: (a)->result = bpf_wq_start(&(e)->wq, 0); break;					\
	}												\
	ONE_SLOT(map, a, e);										\
} while (0)

LIFE(array_timed, BPF_MAP_TYPE_ARRAY, 0, OF_ALL, timed, TIMES)
LIFE(hash_timed, BPF_MAP_TYPE_HASH, 0, OF_ALL, timed, TIMES)
LIFE(hashalloc_timed, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, OF_ALL, timed, TIMES)
LIFE(lru_timed, BPF_MAP_TYPE_LRU_HASH, 0, OF_ALL, timed, TIMES)

struct living_cell { u64 word; };
struct celled {
	u64 first;
	struct living_cell __percpu_kptr *cell;
	u64 last;
};

static __always_inline void act_on_cell(struct args *a, struct celled *e)
{
	struct living_cell __percpu_kptr *cell = NULL;
	struct living_cell *of;

	switch (a->op) {
	case CELL_NEW:
		cell = bpf_percpu_obj_new(struct living_cell);
		if (!cell)
			return;
	case CELL_DROP:
		cell = bpf_kptr_xchg(&e->cell, cell);
		a->result = cell != NULL;
		if (cell)
			bpf_percpu_obj_drop(cell);
		break;
	case CELL_READ:
	case CELL_WRITE:
		a->result = 0;
		bpf_rcu_read_lock();
		cell = e->cell;
		if (cell) {
			of = bpf_per_cpu_ptr(cell, a->cpu);
			a->result = 1;
			if (of && a->op == CELL_WRITE)
				of->word = a->value;
			else if (of)
				a->value = of->word;
			else
				a->result = MISSING;
		}
		bpf_rcu_read_unlock();
		break;
	}
}

#define CELLS(map, a, e) act_on_cell(a, e)
LIFE(array_celled, BPF_MAP_TYPE_ARRAY, 0, OF_ALL, celled, CELLS)
LIFE(hash_celled, BPF_MAP_TYPE_HASH, 0, OF_ALL, celled, CELLS)
LIFE(hashalloc_celled, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, OF_ALL, celled, CELLS)
LIFE(lru_celled, BPF_MAP_TYPE_LRU_HASH, 0, OF_ALL, celled, CELLS)
