namespace Kptr.Specs;

/// <content>Packets: skb, XDP, lightweight tunnels, messages.</content>
internal static partial class HelperTable
{
    private const string PacketTable = """
        skb_store_bytes(ctx, any, ro mem, size, any)
        skb_load_bytes(ctx, any, out mem, size)
        skb_load_bytes_relative(ctx, any, out mem, size, any)
        skb_pull_data(ctx, any)
        l3_csum_replace(ctx, any, any, any, any)
        l4_csum_replace(ctx, any, any, any, any)
        csum_diff(ro mem?, size0, ro mem?, size0, any) | pkt
        csum_update(ctx, any)
        csum_level(ctx, any)
        clone_redirect(ctx, any, any)
        redirect(any, any)
        redirect_neigh(any, ro mem?, size0, any)
        redirect_peer(any, any)
        get_route_realm(ctx)
        get_hash_recalc(ctx)
        set_hash_invalid(ctx)
        set_hash(ctx, any)
        skb_vlan_push(ctx, any, any)
        skb_vlan_pop(ctx)
        skb_change_proto(ctx, any, any)
        skb_change_type(ctx, any)
        skb_adjust_room(ctx, any, any, any)
        skb_change_tail(ctx, any, any)
        skb_change_head(ctx, any, any)
        skb_get_tunnel_key(ctx, out mem, size, any)
        skb_set_tunnel_key(ctx, ro mem, size, any)
        skb_get_tunnel_opt(ctx, out mem, size)
        skb_set_tunnel_opt(ctx, ro mem, size)
        skb_under_cgroup(ctx, map, any)
        skb_cgroup_classid(ctx)
        skb_cgroup_id(ctx)
        skb_ancestor_cgroup_id(ctx, any)
        skb_get_xfrm_state(ctx, any, out mem, size, any)
        skb_ecn_set_ce(ctx)
        skb_set_tstamp(ctx, any, any)
        fib_lookup(ctx, w mem, size, any) | gpl
        check_mtu(ctx, any, w aligned fixed:4, any, any) | gpl

        xdp_adjust_head(ctx, any)
        xdp_adjust_tail(ctx, any)
        xdp_adjust_meta(ctx, any)
        xdp_get_buff_len(ctx)
        xdp_get_buff_len@trace(btf:xdp_buff)
        xdp_load_bytes(ctx, any, out mem, size)
        xdp_store_bytes(ctx, any, ro mem, size)

        lwt_push_encap(ctx, any, ro mem, size)
        lwt_seg6_store_bytes(ctx, any, ro mem, size)
        lwt_seg6_adjust_srh(ctx, any, any)
        lwt_seg6_action(ctx, any, ro mem, size)

        msg_apply_bytes(ctx, any)
        msg_cork_bytes(ctx, any)
        msg_pull_data(ctx, any, any, any)
        msg_push_data(ctx, any, any, any)
        msg_pop_data(ctx, any, any, any)
        """;
}
