/* SPDX-License-Identifier: MIT */
/* Lists and trees in values, whose nodes each keep a task: the task's references say how many nodes there are. */
#pragma once

struct living {
	struct bpf_list_node l;
	struct bpf_rb_node r;
	struct bpf_refcount count;
	u64 word;
	struct task_struct __kptr *task;
};

// A node that has a list of its own.
struct nesting {
	struct bpf_list_node l;
	struct bpf_spin_lock lock;
	struct bpf_list_head list __contains(living, l);
};

struct box {
	u64 first;
	struct bpf_spin_lock lock;
	u32 pad;
	struct bpf_list_head list __contains(living, l);
	struct bpf_rb_root tree __contains(living, r);
	struct bpf_list_head nests __contains(nesting, l);
	struct living __kptr *stash;
	u64 last;
};

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct living, r)->word < container_of(b, struct living, r)->word;
}

static __always_inline struct living *node_new(u64 word)
{
	struct living *n = bpf_obj_new(struct living);
	struct task_struct *task;

	if (!n)
		return NULL;
	n->word = word;
	task = bpf_task_acquire(bpf_get_current_task_btf());
	if (!task)
		return n;
	task = bpf_kptr_xchg(&n->task, task);
	if (task)
		bpf_task_release(task);
	return n;
}

// What became of a node that was taken out.
static __always_inline void node_end(struct args *a, struct living *n)
{
	a->value = n->word;
	a->result = 1;
	bpf_obj_drop(n);
}

static __always_inline struct living *take_list(struct box *e, bool back)
{
	struct bpf_list_node *l;

	bpf_spin_lock(&e->lock);
	l = back ? bpf_list_pop_back(&e->list) : bpf_list_pop_front(&e->list);
	bpf_spin_unlock(&e->lock);
	return l ? container_of(l, struct living, l) : NULL;
}

static __always_inline struct living *take_tree(struct box *e)
{
	struct bpf_rb_node *r;

	bpf_spin_lock(&e->lock);
	r = bpf_rbtree_first(&e->tree);
	if (!r) {
		bpf_spin_unlock(&e->lock);
		return NULL;
	}
	r = bpf_rbtree_remove(&e->tree, r);
	bpf_spin_unlock(&e->lock);
	return r ? container_of(r, struct living, r) : NULL;
}

static __always_inline int act_on_box(struct args *a, struct box *e)
{
	struct bpf_list_node *l;
	struct living *n, *m;
	struct nesting *nest;

	a->result = 0;
	switch (a->op) {
	case PUSH:
	case PUSH_BACK:
		n = node_new(a->value);
		if (!n)
			return 0;
		bpf_spin_lock(&e->lock);
		if (a->op == PUSH)
			a->result = bpf_list_push_front(&e->list, &n->l);
		else
			a->result = bpf_list_push_back(&e->list, &n->l);
		bpf_spin_unlock(&e->lock);
		break;
	case POP:
	case POP_BACK:
		n = a->op == POP ? take_list(e, 0) : take_list(e, 1);
		if (n)
			node_end(a, n);
		break;
	case ADD:
		n = node_new(a->value);
		if (!n)
			return 0;
		bpf_spin_lock(&e->lock);
		a->result = bpf_rbtree_add(&e->tree, &n->r, less);
		bpf_spin_unlock(&e->lock);
		break;
	case FIRST:
		n = take_tree(e);
		if (n)
			node_end(a, n);
		break;
	case BOTH:
		n = node_new(a->value);
		if (!n)
			return 0;
		m = bpf_refcount_acquire(n);
		bpf_spin_lock(&e->lock);
		a->result = bpf_list_push_back(&e->list, &n->l);
		a->result |= bpf_rbtree_add(&e->tree, &m->r, less);
		bpf_spin_unlock(&e->lock);
		break;
	case MOVE:
		n = take_list(e, 0);
		if (!n)
			return 0;
		bpf_spin_lock(&e->lock);
		a->result = bpf_rbtree_add(&e->tree, &n->r, less);
		bpf_spin_unlock(&e->lock);
		break;
	case STASH:
		n = take_tree(e);
		n = bpf_kptr_xchg(&e->stash, n);
		if (n)
			node_end(a, n);
		break;
	case UNSTASH:
		n = bpf_kptr_xchg(&e->stash, NULL);
		if (!n)
			return 0;
		bpf_spin_lock(&e->lock);
		a->result = bpf_list_push_front(&e->list, &n->l);
		bpf_spin_unlock(&e->lock);
		break;
	case NEST:
		nest = bpf_obj_new(struct nesting);
		if (!nest)
			return 0;
		n = node_new(a->value);
		if (n) {
			bpf_spin_lock(&nest->lock);
			bpf_list_push_front(&nest->list, &n->l);
			bpf_spin_unlock(&nest->lock);
		}
		bpf_spin_lock(&e->lock);
		a->result = bpf_list_push_back(&e->nests, &nest->l);
		bpf_spin_unlock(&e->lock);
		break;
	case UNNEST:
		bpf_spin_lock(&e->lock);
		l = bpf_list_pop_front(&e->nests);
		bpf_spin_unlock(&e->lock);
		if (!l)
			return 0;
		bpf_obj_drop(container_of(l, struct nesting, l));
		a->result = 1;
		break;
	}
	return 0;
}

#define BOXES(map, a, e) act_on_box(a, e)
LIFE(array_box, BPF_MAP_TYPE_ARRAY, 0, OF_ALL, box, BOXES)
LIFE(hash_box, BPF_MAP_TYPE_HASH, 0, OF_ALL, box, BOXES)
LIFE(hashalloc_box, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, OF_ALL, box, BOXES)
