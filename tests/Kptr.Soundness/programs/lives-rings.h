/* SPDX-License-Identifier: MIT */
/* Ring buffers that user space reads, and those that it writes. */
#pragma once

#define BPF_MAP_TYPE_USER_RINGBUF 31

static u64 (*const bpf_ringbuf_query)(void *map, u64 flags) = (void *)134;
static void (*const bpf_ringbuf_discard_dynptr)(struct bpf_dynptr *ptr, u64 flags) = (void *)200;
static long (*const bpf_user_ringbuf_drain)(void *map, void *callback, void *ctx, u64 flags) = (void *)209;

enum { RING_BYTES = 4096, RECORD_MAX = 256 };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring_out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, RING_BYTES);
} ring_in SEC(".maps");

SEC("syscall") int act_ring_out(struct args *a)
{
	struct bpf_dynptr dynptr;
	u64 bytes[RECORD_MAX / 8] = {};
	u64 *record, word = a->value;

	switch (a->op) {
	case SUBMIT:
	case DISCARD:
		a->result = 0;
		record = bpf_ringbuf_reserve(&ring_out, 24, 0);
		if (!record)
			return 0;
		record[0] = record[1] = record[2] = word;
		a->result = 1;
		if (a->op == SUBMIT)
			bpf_ringbuf_submit(record, a->flags);
		else
			bpf_ringbuf_discard(record, a->flags);
		break;
	case DYN_SUBMIT:
	case DYN_DISCARD:
		a->result = bpf_ringbuf_reserve_dynptr(&ring_out, a->key, 0, &dynptr);
		if (!a->result)
			a->result = bpf_dynptr_write(&dynptr, 0, &word, sizeof(word), 0);
		if (a->op == DYN_SUBMIT)
			bpf_ringbuf_submit_dynptr(&dynptr, a->flags);
		else
			bpf_ringbuf_discard_dynptr(&dynptr, a->flags);
		break;
	case OUTPUT:
		bytes[0] = word;
		a->result = bpf_ringbuf_output(&ring_out, bytes, a->key & (RECORD_MAX - 1), a->flags);
		break;
	case QUERY:
		a->result = 0;
		a->value = bpf_ringbuf_query(&ring_out, a->flags);
		break;
	}
	return 0;
}

struct drained { u64 sum; u64 end; };

// Ends where it meets the word that it was told of.
static long drain(struct bpf_dynptr *dynptr, struct drained *to)
{
	u64 word = 0;

	if (bpf_dynptr_read(&word, sizeof(word), dynptr, 0, 0))
		word = 1000000;
	to->sum = to->sum * 3 + word;
	return word == to->end;
}

SEC("syscall") int act_ring_in(struct args *a)
{
	struct drained to = { .end = a->value };

	a->result = bpf_user_ringbuf_drain(&ring_in, drain, &to, a->flags);
	a->value = to.sum;
	return 0;
}
