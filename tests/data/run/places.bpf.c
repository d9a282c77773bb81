// SPDX-License-Identifier: MIT
// Headers that a program does not see, maps of places to send packets to, cgroups by index, storage of a run.
#include "net.h"

static long (*const bpf_redirect_map)(void *map, u64 key, u64 flags) = (void *)51;
static long (*const bpf_skb_load_bytes_relative)(const void *skb, u32 off, void *to, u32 len, u32 start) = (void *)68;
static void *(*const bpf_get_local_storage)(void *map, u64 flags) = (void *)81;
static long (*const bpf_current_task_under_cgroup)(void *map, u32 index) = (void *)37;

u64 load_half(void *skb, u64 off) asm("llvm.bpf.load.half");

#define XDP_PASS 2
#define CGROUP_ARRAY 8
#define DEVMAP 14
#define XSKMAP 17
#define CGROUP_STORAGE 19
#define LINK_LAYER (-0x200000L)
#define NETWORK_LAYER (-0x100000L)

struct { __uint(type, DEVMAP); __uint(max_entries, 4); __type(key, u32); __type(value, u32); } devices SEC(".maps");
struct { __uint(type, XSKMAP); __uint(max_entries, 4); __type(key, u32); __type(value, u32); } sockets SEC(".maps");
struct { __uint(type, CGROUP_ARRAY); __uint(max_entries, 2); __uint(key_size, 4); __uint(value_size, 4); } groups SEC(".maps");

struct cgroup_storage_key { u64 cgroup; u32 attach_type; };
struct { __uint(type, CGROUP_STORAGE); __type(key, struct cgroup_storage_key); __type(value, u64); } storage SEC(".maps");

SEC("socket")
int hidden_header(struct __sk_buff *skb)
{
	u16 proto = 0;

	if (load_half(skb, LINK_LAYER + 12) != ETH_P_IP)
		return __LINE__;
	if (load_half(skb, NETWORK_LAYER + 2) != skb->len)
		return __LINE__;
	CHECK(bpf_skb_load_bytes_relative(skb, 12, &proto, 2, 0) == 0);
	CHECK(proto == bpf_htons(ETH_P_IP));
	CHECK(bpf_skb_load_bytes_relative(skb, 2, &proto, 2, 1) == 0);
	CHECK(bpf_htons(proto) == skb->len);
	return load_half(skb, NETWORK_LAYER + skb->len) + __LINE__;
}

SEC("xdp")
int to_place(struct xdp_md *ctx)
{
	u32 key = 1;
	u32 *seen = bpf_map_lookup_elem(&devices, &key);

	if (ctx->ingress_ifindex != 1)
		return 100;
	if (bpf_redirect_map(&sockets, 1, XDP_PASS) != XDP_PASS)
		return 101;
	if (seen && *seen != 1)
		return 102;
	return bpf_redirect_map(&devices, 1, XDP_PASS);
}

SEC("kprobe/some_function")
int of_group(void *ctx)
{
	return bpf_current_task_under_cgroup(&groups, 1);
}

SEC("cgroup_skb/ingress")
int of_run(struct __sk_buff *skb)
{
	u64 *first = bpf_get_local_storage(&storage, 0), *again;

	*first += 1;
	again = bpf_get_local_storage(&storage, 0);
	return *again == 1;
}
