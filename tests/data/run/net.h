/* SPDX-License-Identifier: MIT */
/* Packets and sockets: the user ABI's structs and the helpers on them. */
#pragma once
#include "run.h"

#define ETH_P_IP 0x0800
#define bpf_htons(x) __builtin_bswap16(x)
#define bpf_htonl(x) __builtin_bswap32(x)

struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4], src_port;
	u16 dst_port;
	u16 : 16;
	u32 dst_ip4, dst_ip6[4], state;
	s32 rx_queue_mapping;
};

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex, ifindex, tc_index;
	u32 cb[5];
	u32 hash, tc_classid, data, data_end, napi_id, family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port;
	u32 data_meta;
	void *flow_keys;
	u64 tstamp;
	u32 wire_len, gso_segs;
	struct bpf_sock *sk;
	u32 gso_size;
};

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct bpf_sock_tuple {
	union {
		struct { u32 saddr, daddr; u16 sport, dport; } ipv4;
		struct { u32 saddr[4], daddr[4]; u16 sport, dport; } ipv6;
	};
};

struct bpf_tcp_sock { u32 snd_cwnd, srtt_us; };

struct ethhdr {
	u8 dest[6], source[6];
	u16 proto;
};

struct iphdr {
	u8 version_ihl, tos;
	u16 tot_len, id, frag_off;
	u8 ttl, protocol;
	u16 check;
	u32 saddr, daddr;
};

#define packet(ctx, field) ((void *)(long)(ctx)->field)

static long (*const bpf_skb_store_bytes)(void *skb, u32 off, const void *from, u32 len, u64 flags) = (void *)9;
static long (*const bpf_l3_csum_replace)(void *skb, u32 off, u64 from, u64 to, u64 size) = (void *)10;
static long (*const bpf_clone_redirect)(void *skb, u32 ifindex, u64 flags) = (void *)13;
static long (*const bpf_redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*const bpf_skb_load_bytes)(const void *skb, u32 off, void *to, u32 len) = (void *)26;
static s64 (*const bpf_csum_diff)(void *from, u32 from_size, void *to, u32 to_size, u32 seed) = (void *)28;
static long (*const bpf_skb_change_tail)(void *skb, u32 len, u64 flags) = (void *)38;
static long (*const bpf_skb_pull_data)(void *skb, u32 len) = (void *)39;
static long (*const bpf_xdp_adjust_head)(void *xdp, int delta) = (void *)44;
static u64 (*const bpf_get_socket_cookie)(void *ctx) = (void *)46;
static long (*const bpf_skb_adjust_room)(void *skb, s32 delta, u32 mode, u64 flags) = (void *)50;
static long (*const bpf_xdp_adjust_meta)(void *xdp, int delta) = (void *)54;
static long (*const bpf_xdp_adjust_tail)(void *xdp, int delta) = (void *)65;
static struct bpf_sock *(*const bpf_sk_lookup_tcp)(void *ctx, struct bpf_sock_tuple *t, u32 size, u64 netns, u64 flags) = (void *)84;
static struct bpf_sock *(*const bpf_sk_lookup_udp)(void *ctx, struct bpf_sock_tuple *t, u32 size, u64 netns, u64 flags) = (void *)85;
static long (*const bpf_sk_release)(void *sk) = (void *)86;
static struct bpf_sock *(*const bpf_sk_fullsock)(struct bpf_sock *sk) = (void *)95;
static struct bpf_tcp_sock *(*const bpf_tcp_sock)(struct bpf_sock *sk) = (void *)96;
static struct bpf_sock *(*const bpf_get_listener_sock)(struct bpf_sock *sk) = (void *)98;
static struct bpf_sock *(*const bpf_skc_lookup_tcp)(void *ctx, struct bpf_sock_tuple *t, u32 size, u64 netns, u64 flags) = (void *)99;
static long (*const bpf_sk_assign)(void *ctx, void *sk, u64 flags) = (void *)124;
static u64 (*const bpf_sk_cgroup_id)(void *sk) = (void *)128;
static struct tcp_sock *(*const bpf_skc_to_tcp_sock)(void *sk) = (void *)137;
static u64 (*const bpf_xdp_get_buff_len)(void *xdp) = (void *)188;
static long (*const bpf_xdp_load_bytes)(void *xdp, u32 off, void *buf, u32 len) = (void *)189;

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 off, void *buf, u32 len) __ksym;
