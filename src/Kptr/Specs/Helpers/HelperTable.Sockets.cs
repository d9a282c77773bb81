namespace Kptr.Specs;

/// <content>Sockets.</content>
internal static partial class HelperTable
{
    private const string SocketTable = """
        sk_lookup_tcp(ctx, ro mem, size, any, any) -> sock? | pkt
        sk_lookup_udp(ctx, ro mem, size, any, any) -> sock? | pkt
        skc_lookup_tcp(ctx, ro mem, size, any, any) -> sock_common? | pkt
        sk_release(release btf_sock)
        sk_assign(ctx, btf_sock, any)
        sk_assign@sk_lookup(ctx, sock?, any)
        sk_fullsock(sock_common) -> sock?
        tcp_sock(sock_common) -> tcp_sock?
        get_listener_sock(sock_common) -> sock?
        skc_to_tcp6_sock(btf_sock) -> btf:tcp6_sock?
        skc_to_tcp_sock(btf_sock) -> btf:tcp_sock?
        skc_to_tcp_timewait_sock(btf_sock) -> btf:tcp_timewait_sock?
        skc_to_tcp_request_sock(btf_sock) -> btf:tcp_request_sock?
        skc_to_udp6_sock(btf_sock) -> btf:udp6_sock?
        skc_to_unix_sock(btf_sock) -> btf:unix_sock?
        skc_to_mptcp_sock(sock_common) -> btf:mptcp_sock?
        sock_from_file(btf:file) -> btf:socket?

        tcp_check_syncookie(btf_sock, ro mem, size, ro mem, size) | pkt
        tcp_gen_syncookie(btf_sock, ro mem, size, ro mem, size) | gpl pkt
        tcp_raw_gen_syncookie_ipv4(ro fixed:20, ro mem, size0) | gpl pkt
        tcp_raw_gen_syncookie_ipv6(ro fixed:40, ro mem, size0) | gpl pkt
        tcp_raw_check_syncookie_ipv4(ro fixed:20, ro fixed:20) | gpl pkt
        tcp_raw_check_syncookie_ipv6(ro fixed:40, ro fixed:20) | gpl pkt
        tcp_send_ack(btf:tcp_sock, any)

        get_socket_cookie(ctx)
        get_socket_cookie@ptr(btf_sock?)
        get_netns_cookie(ctx?)
        get_socket_uid(ctx)
        sk_cgroup_id(btf_sock)
        sk_ancestor_cgroup_id(btf_sock, any)
        setsockopt(ctx, any, any, ro mem, size)
        setsockopt@sk(btf_sock, any, any, ro mem, size)
        getsockopt(ctx, any, any, out mem, size)
        getsockopt@sk(btf_sock, any, any, out mem, size)
        bind(ctx, ro mem, size)
        sock_ops_cb_flags_set(ctx, any)
        load_hdr_opt(ctx, w mem, size, any)
        store_hdr_opt(ctx, ro mem, size, any)
        reserve_hdr_opt(ctx, any, any)
        """;
}
