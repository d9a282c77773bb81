// SPDX-License-Identifier: MIT
// Tracked connections: allocated, inserted, found, changed, given back. Each program returns 0, or the line that failed.
#include "net.h"

struct bpf_ct_opts {
	s32 netns_id, error;
	u8 l4proto, dir;
	u16 ct_zone_id;
	u8 ct_zone_dir, reserved[3];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct nf_conn { u32 timeout; unsigned long status; u32 mark; };
struct nf_conn___init { struct nf_conn ct; };
union nf_inet_addr { u32 ip; u32 all[4]; };
#pragma clang attribute pop

enum nf_nat_manip_type { NF_NAT_MANIP_SRC, NF_NAT_MANIP_DST };

extern struct nf_conn___init *bpf_xdp_ct_alloc(struct xdp_md *xdp, struct bpf_sock_tuple *t, u32 size, struct bpf_ct_opts *opts, u32 opts_size) __ksym;
extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *xdp, struct bpf_sock_tuple *t, u32 size, struct bpf_ct_opts *opts, u32 opts_size) __ksym;
extern struct nf_conn___init *bpf_skb_ct_alloc(struct __sk_buff *skb, struct bpf_sock_tuple *t, u32 size, struct bpf_ct_opts *opts, u32 opts_size) __ksym;
extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *t, u32 size, struct bpf_ct_opts *opts, u32 opts_size) __ksym;
extern struct nf_conn *bpf_ct_insert_entry(struct nf_conn___init *ct) __ksym;
extern void bpf_ct_release(struct nf_conn *ct) __ksym;
extern void bpf_ct_set_timeout(struct nf_conn___init *ct, u32 timeout) __ksym;
extern int bpf_ct_change_timeout(struct nf_conn *ct, u32 timeout) __ksym;
extern int bpf_ct_set_status(const struct nf_conn___init *ct, u32 status) __ksym;
extern int bpf_ct_change_status(struct nf_conn *ct, u32 status) __ksym;
extern int bpf_ct_set_nat_info(struct nf_conn___init *ct, union nf_inet_addr *addr, int port, enum nf_nat_manip_type manip) __ksym;

#define SEEN_REPLY 2
#define CONFIRMED 8

#define OPTS { .netns_id = -1, .l4proto = 6 }
#define FLOW { .ipv4 = { .saddr = bpf_htonl(0x0a000001), .daddr = bpf_htonl(0x0a000002), .sport = bpf_htons(1024), .dport = bpf_htons(80) } }
#define REPLY { .ipv4 = { .saddr = bpf_htonl(0x0a000002), .daddr = bpf_htonl(0x0a000001), .sport = bpf_htons(80), .dport = bpf_htons(1024) } }

SEC("xdp")
int insert(struct xdp_md *xdp)
{
	struct bpf_ct_opts opts = OPTS;
	struct bpf_sock_tuple flow = FLOW;
	struct nf_conn___init *fresh;
	struct nf_conn *ct;
	int line = 0;

	fresh = bpf_xdp_ct_alloc(xdp, &flow, sizeof(flow.ipv4), &opts, sizeof(opts));
	CHECK(fresh);
	bpf_ct_set_timeout(fresh, 10000);
	if (bpf_ct_set_status(fresh, SEEN_REPLY) || bpf_ct_set_status(fresh, SEEN_REPLY | CONFIRMED) != -16)
		line = __LINE__;
	ct = bpf_ct_insert_entry(fresh);
	CHECK(ct);
	if ((ct->status & (CONFIRMED | SEEN_REPLY)) != (CONFIRMED | SEEN_REPLY) || ct->timeout != 10000 / 4)
		line = __LINE__;
	if (bpf_ct_change_timeout(ct, 20000) || ct->timeout != 20000 / 4 || bpf_ct_change_status(ct, 0) != -16)
		line = __LINE__;
	bpf_ct_release(ct);
	return line;
}

// The flow is tracked already: the new connection goes, and the program gets none.
SEC("tc")
int insert_again(struct __sk_buff *skb)
{
	struct bpf_ct_opts opts = OPTS;
	struct bpf_sock_tuple reply = REPLY;
	struct nf_conn___init *fresh;
	struct nf_conn *ct;

	fresh = bpf_skb_ct_alloc(skb, &reply, sizeof(reply.ipv4), &opts, sizeof(opts));
	CHECK(fresh);
	ct = bpf_ct_insert_entry(fresh);
	if (ct)
		bpf_ct_release(ct);
	return ct ? __LINE__ : 0;
}

static __always_inline int error_of(struct __sk_buff *skb, struct bpf_sock_tuple *flow, u32 size, struct bpf_ct_opts *opts)
{
	struct nf_conn *ct = bpf_skb_ct_lookup(skb, flow, size, opts, sizeof(*opts));

	if (ct) {
		bpf_ct_release(ct);
		return 1;
	}
	return opts->error;
}

SEC("tc")
int refused(struct __sk_buff *skb)
{
	struct bpf_sock_tuple flow = FLOW;
	struct bpf_ct_opts opts = OPTS;

	CHECK(error_of(skb, &flow, sizeof(flow.ipv4), &opts) == -2);
	CHECK(error_of(skb, &flow, 13, &opts) == -97);
	opts.l4proto = 1;
	CHECK(error_of(skb, &flow, sizeof(flow.ipv4), &opts) == -71);
	opts.l4proto = 6;
	opts.netns_id = 5;
	CHECK(error_of(skb, &flow, sizeof(flow.ipv4), &opts) == -64);
	opts.netns_id = -2;
	CHECK(error_of(skb, &flow, sizeof(flow.ipv4), &opts) == -22);
	return 0;
}

SEC("tc")
int found_both_ways(struct __sk_buff *skb)
{
	struct bpf_sock_tuple flow = FLOW, reply = REPLY;
	struct bpf_ct_opts opts = OPTS, back = OPTS;

	CHECK(error_of(skb, &flow, sizeof(flow.ipv4), &opts) == 1);
	CHECK(error_of(skb, &reply, sizeof(reply.ipv4), &back) == 1);
	CHECK(opts.dir == 0 && back.dir == 1);
	return 0;
}

// Replies come to the address that the connection is translated to.
SEC("tc")
int translated(struct __sk_buff *skb)
{
	struct bpf_sock_tuple flow = { .ipv6 = {
		.saddr = { 0, 0, 0, bpf_htonl(1) }, .daddr = { 0, 0, 0, bpf_htonl(2) }, .sport = bpf_htons(1024), .dport = bpf_htons(80) } };
	struct bpf_sock_tuple reply = { .ipv6 = {
		.saddr = { 0, 0, 0, bpf_htonl(2) }, .daddr = { 0, 0, 0, bpf_htonl(9) }, .sport = bpf_htons(80), .dport = bpf_htons(5000) } };
	union nf_inet_addr nat = { .all = { 0, 0, 0, bpf_htonl(9) } };
	struct bpf_ct_opts opts = OPTS;
	struct nf_conn___init *fresh;
	struct nf_conn *ct;
	int err;

	fresh = bpf_skb_ct_alloc(skb, &flow, sizeof(flow.ipv6), &opts, sizeof(opts));
	CHECK(fresh);
	err = bpf_ct_set_nat_info(fresh, &nat, 5000, NF_NAT_MANIP_SRC);
	ct = bpf_ct_insert_entry(fresh);
	CHECK(ct);
	bpf_ct_release(ct);
	CHECK(err == 0);
	CHECK(error_of(skb, &reply, sizeof(reply.ipv6), &opts) == 1);
	return 0;
}
