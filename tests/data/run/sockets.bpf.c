// SPDX-License-Identifier: MIT
// Sockets that packets find. Each program returns 0, or the line that failed.
#include "net.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sock_common { u16 skc_num; };
struct sock { struct sock_common __sk_common; };
struct inet_sock { struct sock sk; };
struct inet_connection_sock { struct inet_sock icsk_inet; };
struct tcp_sock { struct inet_connection_sock inet_conn; };
#pragma clang attribute pop

static __always_inline int check_connected(struct bpf_sock *sk)
{
	struct tcp_sock *kern;
	struct bpf_tcp_sock *tcp;

	CHECK(sk->family == 2 && sk->type == 1 && sk->protocol == 6 && sk->state == 1);
	CHECK(sk->src_ip4 == bpf_htonl(0x0a000001) && sk->src_port == 80);
	CHECK(sk->dst_ip4 == bpf_htonl(0x0a000002) && sk->dst_port == bpf_htons(1024));
	CHECK(bpf_get_listener_sock(sk) == NULL);
	tcp = bpf_tcp_sock(sk);
	CHECK(tcp && tcp->srtt_us == 0);
	kern = bpf_skc_to_tcp_sock(sk);
	CHECK(kern && kern->inet_conn.icsk_inet.sk.__sk_common.skc_num == 80);
	return 0;
}

static __always_inline bool is_none(struct bpf_sock *sk)
{
	if (sk)
		bpf_sk_release(sk);
	return !sk;
}

SEC("tc")
int connected(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = { .ipv4 = {
		.saddr = bpf_htonl(0x0a000002), .daddr = bpf_htonl(0x0a000001), .sport = bpf_htons(1024), .dport = bpf_htons(80) } };
	struct bpf_sock *sk;
	int line;

	CHECK(is_none(bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), -1, 0)));
	CHECK(is_none(bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 1)));
	CHECK(is_none(bpf_sk_lookup_tcp(skb, &tuple, 13, -1, 0)));
	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);
	CHECK(sk);
	line = check_connected(sk);
	bpf_sk_release(sk);
	return line;
}

SEC("tc")
int listening(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = { .ipv4 = {
		.saddr = bpf_htonl(0x0a000009), .daddr = bpf_htonl(0x0a000001), .sport = bpf_htons(99), .dport = bpf_htons(80) } };
	struct bpf_sock *sk, *listener;
	int line = 0;

	sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);
	CHECK(sk);
	listener = bpf_get_listener_sock(sk);
	if (!listener || listener->state != 10)
		line = __LINE__;
	bpf_sk_release(sk);
	return line;
}

SEC("tc")
int over_v6(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = { .ipv6 = {
		.saddr = { 0, 0, 0, bpf_htonl(2) }, .daddr = { 0, 0, 0, bpf_htonl(1) }, .sport = bpf_htons(1024), .dport = bpf_htons(443) } };
	struct bpf_sock *sk;
	int line = 0;

	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), -1, 0);
	CHECK(sk);
	if (sk->family != 10 || sk->src_ip6[3] != bpf_htonl(1) || sk->dst_ip6[3] != bpf_htonl(2) || sk->src_port != 443)
		line = __LINE__;
	bpf_sk_release(sk);
	return line;
}

// Gives the packet to the listener, if there is one.
SEC("tc")
int steer(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = { .ipv4 = { .daddr = bpf_htonl(0x0a000001), .dport = bpf_htons(80) } };
	struct bpf_sock *sk;
	long err;

	sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);
	CHECK(sk);
	err = bpf_sk_assign(skb, sk, 0);
	bpf_sk_release(sk);
	return err;
}

struct bpf_sock_addr {
	u32 user_family, user_ip4, user_ip6[4], user_port, family, type, protocol, msg_src_ip4, msg_src_ip6[4];
	struct bpf_sock *sk;
};

static long (*const bpf_setsockopt)(void *ctx, int level, int name, void *value, int len) = (void *)49;
static long (*const bpf_getsockopt)(void *ctx, int level, int name, void *value, int len) = (void *)57;
static long (*const bpf_bind)(void *ctx, void *addr, int len) = (void *)64;

static __always_inline int check_options(struct bpf_sock_addr *ctx)
{
	char name[16], reno[] = "reno";
	int value = 7, back = 0;
	u32 address[4] = { 2 };

	CHECK(bpf_getsockopt(ctx, 6, 13, name, sizeof(name)) == 0 && name[0] == 'c' && name[4] == 'c');
	CHECK(bpf_setsockopt(ctx, 6, 13, reno, sizeof(reno)) == 0);
	CHECK(bpf_getsockopt(ctx, 6, 13, name, sizeof(name)) == 0 && name[0] == 'r');
	CHECK(bpf_setsockopt(ctx, 1, 36, &value, sizeof(value)) == 0 && ctx->sk->mark == 7);
	CHECK(bpf_setsockopt(ctx, 1, 8, &value, sizeof(value)) == 0);
	CHECK(bpf_getsockopt(ctx, 1, 8, &back, sizeof(back)) == 0 && back == 2304);
	CHECK(bpf_setsockopt(ctx, 1, 999, &value, sizeof(value)) == -22);
	CHECK(bpf_bind(ctx, address, sizeof(address)) == 0);
	address[0] = 1;
	CHECK(bpf_bind(ctx, address, sizeof(address)) == -97);
	return 0;
}

u64 failed;

// 1 lets the system call go on.
SEC("cgroup/connect4")
int connecting(struct bpf_sock_addr *ctx)
{
	failed = check_options(ctx);
	ctx->user_port = bpf_htons(4321);
	return failed == 0;
}
