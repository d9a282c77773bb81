// SPDX-License-Identifier: MIT
// An arena: pages that come and go, pointers that programs and user space share, faults, atomics.
#include "run.h"

#define __arena __attribute__((address_space(1)))
#define PAGE 4096

struct {
	__uint(type, 33);
	__uint(map_flags, 1 << 10);
	__uint(max_entries, 8);
} space SEC(".maps");

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, u32 page_cnt, int node_id, u64 flags) __ksym;
extern void bpf_arena_free_pages(void *map, void __arena *ptr, u32 page_cnt) __ksym;

struct node {
	struct node __arena *next;
	u64 value;
};

int __arena calls = 40;
u64 __arena counter;
struct node __arena *__arena list;

u64 first_for_user;
volatile u64 shifted, for_user;

static __always_inline u8 __arena *take(u8 __arena *at, u32 count)
{
	return bpf_arena_alloc_pages(&space, at, count, -1, 0);
}

SEC("syscall")
int pages(void *ctx)
{
	volatile u8 __arena *a, *b, *c;

	a = take(NULL, 1);
	b = take(NULL, 2);
	CHECK(a && b && b == a + PAGE);
	CHECK(!take((u8 __arena *)a, 1));	/* taken */
	CHECK(!take((u8 __arena *)a + 1, 1));	/* no page begins there */
	CHECK(!take(NULL, 0) && !take(NULL, 9));
	CHECK(!bpf_arena_alloc_pages(&space, NULL, 1, 1, 0));	/* no such node */
	CHECK(!bpf_arena_alloc_pages(&space, NULL, 1, -1, 1));
	c = take((u8 __arena *)a + 5 * PAGE, 1);
	CHECK(c == a + 5 * PAGE);
	CHECK(take(NULL, 2) == a + 3 * PAGE);	/* the gap */
	CHECK(take(NULL, 1) == a + 6 * PAGE);
	CHECK(!take(NULL, 1));			/* full: the first page has the variables */
	*a = 7;
	bpf_arena_free_pages(&space, (u8 __arena *)a, 1);
	CHECK(*a == 0);
	CHECK(take(NULL, 1) == a && *a == 0);
	bpf_arena_free_pages(&space, (u8 __arena *)a, 9);
	bpf_arena_free_pages(&space, NULL, 9);
	return 0;
}

SEC("syscall")
int faults(void *ctx)
{
	volatile u64 __arena *a, *split;
	volatile u8 __arena *page;

	page = take(NULL, 1);
	CHECK(page);
	a = (u64 __arena *)page;
	*(a + PAGE / 8) = 5;			/* no page: nothing happens */
	CHECK(*(a + PAGE / 8) == 0);
	CHECK(*(volatile u64 __arena *)(page + 0x100000000ULL - 16 * PAGE) == 0);	/* far away */
	split = (u64 __arena *)(page + PAGE - 4);
	*split = -1;				/* half of it has a page */
	CHECK(*split == 0 && *(volatile u32 __arena *)split == 0);
	CHECK(take((u8 __arena *)page + PAGE, 1));
	*split = 0x1122334455667788;
	CHECK(*split == 0x1122334455667788);
	CHECK(*(volatile u32 __arena *)split == 0x55667788);
	CHECK(*(volatile u32 __arena *)(page + PAGE) == 0x11223344);
	CHECK(*(volatile u32 __arena *)(page + PAGE - 2) == 0x33445566);
	bpf_arena_free_pages(&space, (u8 __arena *)page, 2);
	return 0;
}

SEC("syscall")
int atomics(void *ctx)
{
	u64 __arena *page;
	u32 __arena *word;
	u64 old = 3;

	counter = 2;
	CHECK(__sync_fetch_and_add(&counter, 5) == 2 && counter == 7);
	CHECK(__sync_val_compare_and_swap(&counter, 7, 9) == 7 && counter == 9);
	page = (u64 __arena *)take(NULL, 2);
	CHECK(page);
	CHECK(__sync_lock_test_and_set(page, 6) == 0 && *page == 6);
	word = (u32 __arena *)((u8 __arena *)page + PAGE - 2);
	__sync_fetch_and_add(word, 0x10001);	/* in two pages */
	__sync_fetch_and_add(word, 0x10001);
	CHECK(*(volatile u32 __arena *)word == 0x20002);
	bpf_arena_free_pages(&space, (u8 __arena *)page, 2);
	CHECK(__sync_fetch_and_add(page, old) == 3);	/* no page: the register keeps what it had */
	CHECK(*(volatile u64 __arena *)page == 0);
	return 0;
}

/* Arithmetic on a pointer has 32 bits, and null is null to both. Numbers are read back: a pointer stays one. */
SEC("syscall")
int widths(void *ctx)
{
	u64 at = (u64)&counter, out, user, null;

	asm volatile ("r1 = %[at];"
		      "r1 = addr_space_cast(r1, 0x0, 0x1);"
		      "r1 <<= 8;"
		      "r1 >>= 8;"
		      "%[out] = r1;"
		      "%[user] = addr_space_cast(r1, 0x1, 0x0);"
		      "r1 = 0;"
		      "%[null] = addr_space_cast(r1, 0x1, 0x0);"
		      : [out] "=&r"(out), [user] "=&r"(user), [null] "=&r"(null) : [at] "r"(at) : "r1");
	shifted = out;
	for_user = user;
	CHECK(shifted == (at & 0xffffff));
	CHECK(null == 0);
	return 0;
}

/* A list of user space's pointers, newest first. */
SEC("syscall")
int push(void *ctx)
{
	struct node __arena *n, *head;
	int i;

	n = (struct node __arena *)take(NULL, 1);
	CHECK(n);
	for (i = 0; i < 3; i++) {
		n[i].value = calls++;
		n[i].next = list;
		list = &n[i];
	}
	head = list;
	first_for_user = (u64)head;
	return 0;
}

/* What user space has put there. */
SEC("syscall")
int sum(void *ctx)
{
	struct node __arena *n = list;
	u64 total = 0;
	int i;

	for (i = 0; i < 100 && n; i++) {
		total += n->value;
		n = n->next;
	}
	return total;
}
