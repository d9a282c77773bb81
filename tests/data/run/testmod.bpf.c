// SPDX-License-Identifier: MIT
// The kfuncs of the selftests' own module: a static counted object, an allocated one, an iterator, arguments.
#include "run.h"

struct prog_test_ref_kfunc {
	int a;
	int b;
} __attribute__((preserve_access_index));

struct bpf_testmod_ctx {
	char unused;
} __attribute__((preserve_access_index));

struct bpf_iter_testmod_seq { u64 __opaque[2]; };

extern struct prog_test_ref_kfunc *bpf_kfunc_call_test_acquire(unsigned long *scalar_ptr) __ksym;
extern void bpf_kfunc_call_test_release(struct prog_test_ref_kfunc *p) __ksym;
extern void bpf_kfunc_call_test_ref(struct prog_test_ref_kfunc *p) __ksym;
extern int *bpf_kfunc_call_test_get_rdwr_mem(struct prog_test_ref_kfunc *p, const int rdwr_buf_size) __ksym;
extern int *bpf_kfunc_call_test_get_rdonly_mem(struct prog_test_ref_kfunc *p, const int rdonly_buf_size) __ksym;
extern struct bpf_testmod_ctx *bpf_testmod_ctx_create(int *err) __ksym;
extern void bpf_testmod_ctx_release(struct bpf_testmod_ctx *ctx) __ksym;
extern int bpf_iter_testmod_seq_new(struct bpf_iter_testmod_seq *it, s64 value, int cnt) __ksym;
extern s64 *bpf_iter_testmod_seq_next(struct bpf_iter_testmod_seq *it) __ksym;
extern s64 bpf_iter_testmod_seq_value(int val, struct bpf_iter_testmod_seq *it__iter) __ksym;
extern void bpf_iter_testmod_seq_destroy(struct bpf_iter_testmod_seq *it) __ksym;
extern long bpf_kfunc_call_test4(signed char a, short b, int c, long d) __ksym;
extern void bpf_kfunc_call_test_mem_len_pass1(void *mem, int mem__sz) __ksym;

struct slot {
	struct prog_test_ref_kfunc __kptr *ref;
	struct bpf_testmod_ctx __kptr *ctx;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct slot);
} slots SEC(".maps");

static struct slot *slot_of(u32 key)
{
	struct slot fresh = {};

	bpf_map_update_elem(&slots, &key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&slots, &key);
}

SEC("syscall")
int stash(u32 *key)
{
	struct slot *slot = slot_of(*key);
	struct prog_test_ref_kfunc *ref;
	struct bpf_testmod_ctx *ctx;
	unsigned long scalar = 1;
	int err = 0;

	CHECK(slot);
	ref = bpf_kfunc_call_test_acquire(&scalar);
	CHECK(ref);
	ref = bpf_kptr_xchg(&slot->ref, ref);
	if (ref)
		bpf_kfunc_call_test_release(ref);
	ctx = bpf_testmod_ctx_create(&err);
	CHECK(ctx);
	ctx = bpf_kptr_xchg(&slot->ctx, ctx);
	if (ctx)
		bpf_testmod_ctx_release(ctx);
	return 0;
}

SEC("syscall")
int look(u32 *key)
{
	struct slot *slot = slot_of(*key);
	struct prog_test_ref_kfunc *ref;
	int *pair, sum = 0;

	CHECK(slot);
	ref = bpf_kptr_xchg(&slot->ref, NULL);
	CHECK(ref);
	bpf_kfunc_call_test_ref(ref);
	pair = bpf_kfunc_call_test_get_rdonly_mem(ref, 2 * sizeof(int));
	if (pair)
		sum = pair[0] + pair[1];
	if (bpf_kfunc_call_test_get_rdwr_mem(ref, 3 * sizeof(int)))
		sum = 0;
	sum += ref->a;
	bpf_kfunc_call_test_release(ref);
	return sum;
}

SEC("syscall")
int sums(s32 *count)
{
	struct bpf_iter_testmod_seq it;
	s64 *value, sum = 0;
	char bytes[13] = {};

	bpf_iter_testmod_seq_new(&it, 1000, *count);
	while ((value = bpf_iter_testmod_seq_next(&it)))
		sum += bpf_iter_testmod_seq_value(-1, &it);
	bpf_iter_testmod_seq_destroy(&it);
	bpf_kfunc_call_test_mem_len_pass1(bytes, sizeof(bytes));
	return sum + bpf_kfunc_call_test4(-3, -30, -200, -1000);
}
