// SPDX-License-Identifier: MIT
// Lists, trees and references on objects of the program's own types.
#include "run.h"

struct item {
	struct bpf_list_node in_list;
	struct bpf_rb_node in_tree;
	struct bpf_refcount refs;
	u64 key;
};

private(G) struct bpf_spin_lock lock;
private(G) struct bpf_list_head queue __contains(item, in_list);
private(G) struct bpf_rb_root tree __contains(item, in_tree);

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct item, in_tree)->key < container_of(b, struct item, in_tree)->key;
}

// Pushes 3 at the back, 2 at the front and 9 at the back; what comes out is 2, 3, 9.
SEC("syscall")
int list_keeps_order(void *ctx)
{
	struct bpf_list_node *node;
	struct item *item;
	u64 key[3] = {};
	int i;

	for (i = 0; i < 3; i++) {
		item = bpf_obj_new(struct item);
		CHECK(item);
		item->key = i == 0 ? 3 : i == 1 ? 2 : 9;
		bpf_spin_lock(&lock);
		if (i == 1)
			bpf_list_push_front(&queue, &item->in_list);
		else
			bpf_list_push_back(&queue, &item->in_list);
		bpf_spin_unlock(&lock);
	}

	for (i = 0; i < 3; i++) {
		bpf_spin_lock(&lock);
		node = bpf_list_pop_front(&queue);
		bpf_spin_unlock(&lock);
		CHECK(node);
		item = container_of(node, struct item, in_list);
		key[i] = item->key;
		bpf_obj_drop(item);
	}

	bpf_spin_lock(&lock);
	node = bpf_list_pop_back(&queue);
	bpf_spin_unlock(&lock);
	if (node) {
		bpf_obj_drop(container_of(node, struct item, in_list));
		return __LINE__;
	}

	CHECK(key[0] == 2 && key[1] == 3 && key[2] == 9);
	return 0;
}

// Adds 5, 1, 3; the smallest first, and removing it makes 3 the first.
SEC("syscall")
int tree_sorts(void *ctx)
{
	struct bpf_rb_node *node;
	struct item *item;
	u64 key[3] = {};
	int i;

	for (i = 0; i < 3; i++) {
		item = bpf_obj_new(struct item);
		CHECK(item);
		item->key = i == 0 ? 5 : i == 1 ? 1 : 3;
		bpf_spin_lock(&lock);
		bpf_rbtree_add(&tree, &item->in_tree, less);
		bpf_spin_unlock(&lock);
	}

	for (i = 0; i < 3; i++) {
		bpf_spin_lock(&lock);
		node = bpf_rbtree_first(&tree);
		if (!node) {
			bpf_spin_unlock(&lock);
			return __LINE__;
		}
		node = bpf_rbtree_remove(&tree, node);
		bpf_spin_unlock(&lock);
		CHECK(node);
		item = container_of(node, struct item, in_tree);
		key[i] = item->key;
		bpf_obj_drop(item);
	}

	CHECK(key[0] == 1 && key[1] == 3 && key[2] == 5);
	return 0;
}

// One object in the list and in the tree; each holds a reference, and both stay when the program ends.
SEC("syscall")
int leave_in_both(void *ctx)
{
	struct item *item, *other;

	item = bpf_obj_new(struct item);
	CHECK(item);
	item->key = 7;
	other = bpf_refcount_acquire(item);
	bpf_spin_lock(&lock);
	bpf_list_push_back(&queue, &item->in_list);
	bpf_spin_unlock(&lock);
	CHECK(other);
	bpf_spin_lock(&lock);
	bpf_rbtree_add(&tree, &other->in_tree, less);
	bpf_spin_unlock(&lock);
	return 0;
}

// The second push of a node that is in the list fails and drops the reference it was given.
SEC("syscall")
int second_push_fails(void *ctx)
{
	struct bpf_list_node *node;
	struct item *item, *again;
	int err;

	item = bpf_obj_new(struct item);
	CHECK(item);
	again = bpf_refcount_acquire(item);
	bpf_spin_lock(&lock);
	bpf_list_push_back(&queue, &item->in_list);
	bpf_spin_unlock(&lock);
	CHECK(again);
	bpf_spin_lock(&lock);
	err = bpf_list_push_back(&queue, &again->in_list);
	node = bpf_list_pop_back(&queue);
	bpf_spin_unlock(&lock);
	CHECK(node);
	bpf_obj_drop(container_of(node, struct item, in_list));
	CHECK(err == -22);
	return 0;
}
