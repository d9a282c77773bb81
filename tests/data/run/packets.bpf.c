// SPDX-License-Identifier: MIT
// Packets: pointers into them, their bytes, their ends. Each program returns 0, or the line that failed.
#include "net.h"

extern void *bpf_cast_to_kern_ctx(void *obj) __ksym;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct net_device { int ifindex; };
struct sk_buff { unsigned int len; struct net_device *dev; };
struct xdp_buff { void *data; void *data_end; };
#pragma clang attribute pop

SEC("xdp")
int xdp_ends(struct xdp_md *xdp)
{
	void *data = packet(xdp, data), *end = packet(xdp, data_end);
	struct ethhdr *eth = data;
	struct xdp_buff *kern;
	u64 length = bpf_xdp_get_buff_len(xdp);
	u32 *meta;

	CHECK(data + sizeof(*eth) <= end);
	CHECK(eth->proto == bpf_htons(ETH_P_IP));
	CHECK(end - data == length);
	kern = bpf_cast_to_kern_ctx(xdp);
	CHECK(kern->data_end - kern->data == length);

	CHECK(bpf_xdp_adjust_head(xdp, -20) == 0);
	CHECK(bpf_xdp_get_buff_len(xdp) == length + 20);
	data = packet(xdp, data);
	end = packet(xdp, data_end);
	CHECK(data + 20 + sizeof(*eth) <= end);
	eth = data + 20;
	CHECK(eth->proto == bpf_htons(ETH_P_IP));
	*(u8 *)data = 0xab;

	CHECK(bpf_xdp_adjust_meta(xdp, -4) == 0);
	CHECK(bpf_xdp_adjust_meta(xdp, -3) == -13);
	meta = packet(xdp, data_meta);
	data = packet(xdp, data);
	CHECK((void *)(meta + 1) <= data);
	*meta = 77;

	CHECK(bpf_xdp_adjust_tail(xdp, 1 << 16) == -22);
	CHECK(bpf_xdp_adjust_tail(xdp, 6) == 0);
	CHECK(bpf_xdp_get_buff_len(xdp) == length + 26);
	CHECK(bpf_xdp_adjust_head(xdp, -300) == -22);
	return 0;
}

SEC("xdp")
int xdp_bytes(struct xdp_md *xdp)
{
	struct bpf_dynptr ptr;
	struct ethhdr copy, *eth;
	u8 last;

	CHECK(bpf_xdp_load_bytes(xdp, 0, &copy, sizeof(copy)) == 0);
	CHECK(copy.proto == bpf_htons(ETH_P_IP));
	CHECK(bpf_xdp_load_bytes(xdp, bpf_xdp_get_buff_len(xdp), &last, 1) == -22);
	CHECK(bpf_dynptr_from_xdp(xdp, 0, &ptr) == 0);
	eth = bpf_dynptr_slice(&ptr, 0, &copy, sizeof(copy));
	CHECK(eth && eth->proto == bpf_htons(ETH_P_IP));
	last = 9;
	CHECK(bpf_dynptr_write(&ptr, 1, &last, 1, 0) == 0);
	CHECK(bpf_xdp_load_bytes(xdp, 1, &copy, 1) == 0 && copy.dest[0] == 9);
	return 0;
}

static __always_inline int check_header(struct __sk_buff *skb)
{
	void *data = packet(skb, data), *end = packet(skb, data_end);
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	u32 old, new = bpf_htonl(0x0a000063);
	u16 sum;

	CHECK((void *)(ip + 1) <= end);
	old = ip->saddr;
	CHECK(bpf_skb_store_bytes(skb, 26, &new, 4, 0) == 0);
	CHECK(bpf_l3_csum_replace(skb, 24, old, new, 4) == 0);
	data = packet(skb, data);
	end = packet(skb, data_end);
	ip = data + sizeof(*eth);
	CHECK((void *)(ip + 1) <= end);
	sum = ip->check;

	// Over a header with its sum in it, the sum is all ones.
	u32 all = bpf_csum_diff(NULL, 0, (u32 *)ip, 20, 0);
	all = (all & 0xffff) + (all >> 16);
	all = (all & 0xffff) + (all >> 16);
	CHECK(all == 0xffff && sum != 0);
	CHECK(ip->saddr == new);
	return 0;
}

SEC("tc")
int skb_bytes(struct __sk_buff *skb)
{
	u32 length = skb->len;
	struct sk_buff *kern;
	u8 bytes[4];

	CHECK(skb->protocol == bpf_htons(ETH_P_IP));
	CHECK(packet(skb, data_end) - packet(skb, data) == length);
	kern = bpf_cast_to_kern_ctx(skb);
	CHECK(kern->len == length && kern->dev->ifindex == skb->ifindex);
	CHECK(bpf_skb_load_bytes(skb, length, bytes, 1) == -14);
	CHECK(bpf_skb_pull_data(skb, 34) == 0);
	CHECK(bpf_skb_pull_data(skb, length + 1) == -12);
	skb->mark = 5;
	skb->cb[1] = skb->mark + 1;
	return check_header(skb);
}

SEC("tc")
int skb_shape(struct __sk_buff *skb)
{
	u32 length = skb->len;
	struct bpf_dynptr ptr;
	u8 byte = 1;

	CHECK(bpf_skb_adjust_room(skb, 8, 1, 0) == 0);
	CHECK(skb->len == length + 8);
	CHECK(bpf_skb_load_bytes(skb, 22, &byte, 1) == 0 && byte == 0x45);
	CHECK(bpf_skb_adjust_room(skb, -8, 1, 0) == 0);
	CHECK(bpf_skb_load_bytes(skb, 14, &byte, 1) == 0 && byte == 0x45);
	CHECK(bpf_skb_change_tail(skb, length + 2000, 0) == 0);
	CHECK(skb->len == length + 2000);
	CHECK(bpf_dynptr_from_skb(skb, 1, &ptr) == -22);
	CHECK(bpf_dynptr_from_skb(skb, 0, &ptr) == 0);
	CHECK(bpf_dynptr_read(&byte, 1, &ptr, 14, 0) == 0 && byte == 0x45);
	CHECK(bpf_dynptr_read(&byte, 1, &ptr, length + 2000, 0) == -7);
	CHECK(bpf_skb_change_tail(skb, length, 0) == 0);
	CHECK(bpf_clone_redirect(skb, 1, 0) == 0);
	return 0;
}

SEC("tc")
int to_device(struct __sk_buff *skb)
{
	return bpf_redirect(3, 0);
}

u64 load_byte(void *skb, u64 off) asm("llvm.bpf.load.byte");
u64 load_half(void *skb, u64 off) asm("llvm.bpf.load.half");

// Sees no link layer; beyond the end it is over with 0.
SEC("socket")
int old_loads(struct __sk_buff *skb)
{
	if (load_byte(skb, 0) != 0x45)
		return __LINE__;
	if (load_half(skb, 2) != skb->len)
		return __LINE__;
	return load_byte(skb, skb->len) + __LINE__;
}

// 1 lets the packet through.
SEC("cgroup_skb/ingress")
int of_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct iphdr *ip = packet(skb, data);

	if ((void *)(ip + 1) > packet(skb, data_end) || !sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	return sk && bpf_sk_cgroup_id(sk) == 1 && sk->family == 2 && sk->src_ip4 == ip->daddr && sk->dst_ip4 == ip->saddr && skb->remote_ip4 == ip->saddr;
}

struct bpf_tunnel_key {
	u32 tunnel_id, remote_ipv6[4];
	u8 tunnel_tos, tunnel_ttl;
	u16 tunnel_ext;
	u32 tunnel_label, local_ipv6[4];
};

static long (*const bpf_skb_get_tunnel_key)(void *skb, struct bpf_tunnel_key *key, u32 size, u64 flags) = (void *)20;
static long (*const bpf_skb_set_tunnel_key)(void *skb, struct bpf_tunnel_key *key, u32 size, u64 flags) = (void *)21;

SEC("tc")
int tunnel(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = { .tunnel_id = 7, .tunnel_ttl = 64 }, back;

	CHECK(bpf_skb_get_tunnel_key(skb, &back, sizeof(back), 0) == -22);
	CHECK(bpf_skb_set_tunnel_key(skb, &key, 9, 0) == -22);
	CHECK(bpf_skb_set_tunnel_key(skb, &key, sizeof(key), 2) == 0);
	CHECK(bpf_skb_get_tunnel_key(skb, &back, sizeof(back), 1) == -71);
	CHECK(bpf_skb_get_tunnel_key(skb, &back, sizeof(back), 0) == 0);
	CHECK(back.tunnel_id == 7 && back.tunnel_ttl == 64);
	return 0;
}

struct sk_msg_md {
	void *data, *data_end;
	u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, size;
	struct bpf_sock *sk;
};

static long (*const bpf_msg_push_data)(void *msg, u32 start, u32 len, u64 flags) = (void *)90;
static long (*const bpf_msg_pop_data)(void *msg, u32 start, u32 len, u64 flags) = (void *)91;

// Cuts the first two bytes off and puts three zero bytes behind the next. 1 lets the message pass.
SEC("sk_msg")
int message(struct sk_msg_md *msg)
{
	u8 *data;

	if (bpf_msg_pop_data(msg, 0, 100, 0) != -22 || bpf_msg_pop_data(msg, 0, 2, 0) || bpf_msg_push_data(msg, 1, 3, 0))
		return 0;
	data = msg->data;
	if (data + 2 > (u8 *)msg->data_end || data[1] != 0)
		return 0;
	data[1] = '!';
	return msg->sk && msg->size == data - (u8 *)msg->data + (u8 *)msg->data_end - data;
}

struct bpf_sockopt {
	struct bpf_sock *sk;
	void *optval, *optval_end;
	s32 level, optname, optlen, retval;
};

static int (*const bpf_get_retval)(void) = (void *)186;
static int (*const bpf_set_retval)(int retval) = (void *)187;

// 1 lets the call go on; doubles the option's first byte.
SEC("cgroup/getsockopt")
int option(struct bpf_sockopt *ctx)
{
	u8 *value = ctx->optval;

	if (value + 1 > (u8 *)ctx->optval_end || ctx->level != 6)
		return 1;
	value[0] *= 2;
	bpf_set_retval(bpf_get_retval() - 1);
	return 1;
}

static long (*const bpf_skb_get_xfrm_state)(void *skb, u32 index, void *state, u32 size, u64 flags) = (void *)66;

SEC("tc")
int without_body(struct __sk_buff *skb)
{
	u64 state[4] = {};

	return bpf_skb_get_xfrm_state(skb, 0, state, sizeof(state), 0);
}
