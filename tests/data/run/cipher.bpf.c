// SPDX-License-Identifier: MIT
// A crypto context: made by a syscall program, kept in a map, used by programs on packets.
#include "net.h"

struct bpf_crypto_params {
	char type[14];
	u8 reserved[2];
	char algo[128];
	u8 key[256];
	u32 key_len, authsize;
};

struct bpf_crypto_ctx { u32 siv_len; } __attribute__((preserve_access_index));
extern struct bpf_crypto_ctx *bpf_crypto_ctx_create(const struct bpf_crypto_params *params, u32 size, int *err) __ksym;
extern struct bpf_crypto_ctx *bpf_crypto_ctx_acquire(struct bpf_crypto_ctx *ctx) __ksym;
extern void bpf_crypto_ctx_release(struct bpf_crypto_ctx *ctx) __ksym;
extern int bpf_crypto_encrypt(struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, const struct bpf_dynptr *dst, const struct bpf_dynptr *iv) __ksym;
extern int bpf_crypto_decrypt(struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, const struct bpf_dynptr *dst, const struct bpf_dynptr *iv) __ksym;

struct slot { struct bpf_crypto_ctx __kptr *ctx; };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct bpf_crypto_params params = { .type = "skcipher", .algo = "ecb(aes)", .key_len = 16 };
u8 plain[32] = "thirty-one bytes of a message..";
u8 hidden[32];
u8 back[32];

SEC("syscall")
int create(void *args)
{
	struct bpf_crypto_ctx *ctx, *more;
	struct slot *slot;
	u32 zero = 0;
	int err = 0;

	params.key_len = 15;
	ctx = bpf_crypto_ctx_create(&params, sizeof(params), &err);
	if (ctx) {
		bpf_crypto_ctx_release(ctx);
		return __LINE__;
	}
	CHECK(err == -22);
	params.key_len = 16;
	ctx = bpf_crypto_ctx_create(&params, sizeof(params), &err);
	CHECK(ctx);
	more = bpf_crypto_ctx_acquire(ctx);
	if (more)
		bpf_crypto_ctx_release(more);
	slot = bpf_map_lookup_elem(&slots, &zero);
	if (!slot) {
		bpf_crypto_ctx_release(ctx);
		return __LINE__;
	}
	ctx = bpf_kptr_xchg(&slot->ctx, ctx);
	if (ctx)
		bpf_crypto_ctx_release(ctx);
	return more ? 0 : __LINE__;
}

SEC("tc")
int use(struct __sk_buff *skb)
{
	struct bpf_dynptr from, to, again;
	struct bpf_crypto_ctx *ctx;
	struct slot *slot;
	u32 zero = 0;

	slot = bpf_map_lookup_elem(&slots, &zero);
	CHECK(slot);
	ctx = slot->ctx;
	CHECK(ctx);
	bpf_dynptr_from_mem(plain, sizeof(plain), 0, &from);
	bpf_dynptr_from_mem(hidden, sizeof(hidden), 0, &to);
	bpf_dynptr_from_mem(back, sizeof(back), 0, &again);
	CHECK(bpf_crypto_encrypt(ctx, &from, &to, NULL) == 0);
	CHECK(*(u64 *)hidden != *(u64 *)plain);
	CHECK(bpf_crypto_decrypt(ctx, &to, &again, NULL) == 0);
	CHECK(*(u64 *)back == *(u64 *)plain);
	CHECK(bpf_crypto_encrypt(ctx, &from, &to, &again) == -22);
	return 0;
}
