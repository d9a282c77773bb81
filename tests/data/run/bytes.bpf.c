// SPDX-License-Identifier: MIT
// Dynptrs, ring buffers, text.
#include "run.h"

extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, u32 start, u32 end) __ksym;
extern bool bpf_dynptr_is_null(const struct bpf_dynptr *p) __ksym;
extern bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p) __ksym;
extern u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, void *buffer, u32 size) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u8[64]);
} blob SEC(".maps");

SEC("syscall")
int dynptrs(void *ctx)
{
	struct bpf_dynptr ptr, clone;
	char out[4] = {}, in[4] = "abc";
	u32 zero = 0;
	char *slice;
	u8 *bytes;

	bytes = bpf_map_lookup_elem(&blob, &zero);
	CHECK(bytes);
	CHECK(bpf_dynptr_from_mem(bytes, 64, 0, &ptr) == 0);
	CHECK(bpf_dynptr_size(&ptr) == 64 && !bpf_dynptr_is_null(&ptr) && !bpf_dynptr_is_rdonly(&ptr));
	CHECK(bpf_dynptr_write(&ptr, 60, in, 4, 0) == 0);
	CHECK(bpf_dynptr_write(&ptr, 61, in, 4, 0) == -7);
	CHECK(bpf_dynptr_adjust(&ptr, 56, 64) == 0 && bpf_dynptr_size(&ptr) == 8);
	CHECK(bpf_dynptr_adjust(&ptr, 4, 3) == -22 && bpf_dynptr_adjust(&ptr, 9, 9) == -34);
	CHECK(bpf_dynptr_clone(&ptr, &clone) == 0);
	CHECK(bpf_dynptr_read(out, 4, &clone, 4, 0) == 0);
	CHECK(out[0] == 'a' && out[2] == 'c');
	slice = bpf_dynptr_slice(&ptr, 4, NULL, 4);
	CHECK(slice && slice[1] == 'b');
	CHECK(!bpf_dynptr_slice(&ptr, 5, NULL, 4));
	return 0;
}

SEC("syscall")
int records(void *ctx)
{
	struct bpf_dynptr ptr;
	u64 one = 1, *record;

	CHECK(bpf_ringbuf_output(&ring, &one, sizeof(one), 0) == 0);
	record = bpf_ringbuf_reserve(&ring, 16, 0);
	CHECK(record);
	record[0] = 2;
	bpf_ringbuf_submit(record, 0);
	record = bpf_ringbuf_reserve(&ring, 8, 0);
	CHECK(record);
	bpf_ringbuf_discard(record, 0);

	bpf_ringbuf_reserve_dynptr(&ring, 24, 0, &ptr);
	one = 3;
	bpf_dynptr_write(&ptr, 0, &one, sizeof(one), 0);
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	CHECK(!(record = bpf_ringbuf_reserve(&ring, 8192, 0)) || ({ bpf_ringbuf_discard(record, 0); 0; }));
	return 0;
}

static const char hello[] = "pid %d says %s, 0x%llx%%";
static const char line[] = "[%5d|%-4d|%04x|%c]";

SEC("syscall")
int text(void *ctx)
{
	u64 args[4] = { 42, 7, 0xbeef, 'z' };
	char number[8] = " -123x", comm[16] = {}, out[32];
	long value = 0;

	CHECK(bpf_strtol(number, sizeof(number), 10, &value) == 5);
	CHECK(value == -123);
	CHECK(bpf_get_current_comm(comm, sizeof(comm)) == 0);
	CHECK(bpf_trace_printk(hello, sizeof(hello), 1, comm, 0xabcULL) > 0);
	CHECK(bpf_snprintf(out, sizeof(out), line, args, sizeof(args)) == 20);
	CHECK(bpf_strncmp(out, 20, "[   42|7   |beef|z]") == 0);
	return 0;
}
