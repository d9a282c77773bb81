using System.Collections.Frozen;

namespace Kptr.Specs;

/// <summary>Which helpers each kind of program may call, as layered lists of names.</summary>
/// <remarks>
/// A name with <c>@</c> takes that variant of the prototype. A list that starts with <c>+NAME</c> adds to the list of
/// that name; what comes first wins. Kernel: the <c>get_func_proto</c> functions, 6.12. The base list is what a loader
/// with all capabilities gets; where the profile's <c>EveryoneAsksForTasks</c> says so, with the list of tasks.
/// </remarks>
internal static class HelperSets
{
    private static readonly (string Name, string List)[] Lists =
    [
        ("base", """
            map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem
            map_lookup_percpu_elem get_prandom_u32 get_smp_processor_id@raw get_numa_node_id tail_call ktime_get_ns
            ktime_get_boot_ns ktime_get_tai_ns ringbuf_output ringbuf_reserve ringbuf_submit ringbuf_discard
            ringbuf_query strncmp strtol strtoul get_current_pid_tgid get_ns_current_pid_tgid spin_lock spin_unlock
            jiffies64 per_cpu_ptr this_cpu_ptr timer_init timer_set_callback timer_start timer_cancel kptr_xchg
            for_each_map_elem loop user_ringbuf_drain ringbuf_reserve_dynptr ringbuf_submit_dynptr
            ringbuf_discard_dynptr dynptr_from_mem dynptr_read dynptr_write dynptr_data cgrp_storage_get
            cgrp_storage_delete get_current_cgroup_id get_current_ancestor_cgroup_id trace_printk get_current_task
            get_current_task_btf probe_read_user probe_read_kernel probe_read_user_str probe_read_kernel_str
            snprintf_btf snprintf task_pt_regs trace_vprintk
            """),
        ("tasks", """
            get_current_uid_gid get_current_comm get_cgroup_classid@curr current_task_under_cgroup perf_event_read
            perf_event_read_value send_signal send_signal_thread get_task_stack task_storage_get task_storage_delete
            copy_from_user copy_from_user_task get_branch_snapshot find_vma
            """),
        ("sk_base", """
            +base skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            skc_to_unix_sock skc_to_mptcp_sock ktime_get_coarse_ns
            """),
        ("tracing_base", """
            +base get_smp_processor_id perf_event_read get_current_uid_gid get_current_comm current_task_under_cgroup
            probe_write_user probe_read probe_read_str send_signal send_signal_thread perf_event_read_value
            get_task_stack task_storage_get task_storage_delete get_func_ip get_branch_snapshot find_vma
            """),
        ("kprobe", "+tracing_base perf_event_output get_stackid get_stack override_return get_attach_cookie"),
        ("tracepoint", "+tracing_base perf_event_output get_stackid get_stack get_attach_cookie"),
        ("perf_event", "+tracepoint perf_prog_read_value read_branch_records"),
        ("raw_tp", "+tracepoint"),
        ("tracing", """
            +raw_tp skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
            skc_to_tcp_request_sock skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock sk_storage_get@tracing
            sk_storage_delete@tracing sock_from_file get_socket_cookie@ptr xdp_get_buff_len@trace d_path
            """),
        ("lsm", """
            +tracing inode_storage_get inode_storage_delete sk_storage_get sk_storage_delete bprm_opts_set
            ima_inode_hash ima_file_hash
            """),
        ("syscall", "+tracing sys_bpf btf_find_by_name_kind sys_close kallsyms_lookup_name"),
        ("tcp_congestion_ops",
            "+base tcp_send_ack sk_storage_get sk_storage_delete setsockopt@sk getsockopt@sk ktime_get_coarse_ns"),
        ("sched_ext_ops", "+base task_storage_get task_storage_delete"),

        ("sk_filter",
            "+sk_base skb_load_bytes skb_load_bytes_relative get_socket_cookie get_socket_uid perf_event_output"),
        ("tc", """
            +sk_base skb_store_bytes skb_load_bytes skb_load_bytes_relative skb_pull_data csum_diff csum_update
            csum_level l3_csum_replace l4_csum_replace clone_redirect get_cgroup_classid skb_vlan_push skb_vlan_pop
            skb_change_proto skb_change_type skb_adjust_room skb_change_tail skb_change_head skb_get_tunnel_key
            skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt redirect redirect_neigh redirect_peer
            get_route_realm get_hash_recalc set_hash_invalid set_hash perf_event_output get_smp_processor_id
            skb_under_cgroup get_socket_cookie get_socket_uid fib_lookup check_mtu sk_fullsock sk_storage_get
            sk_storage_delete skb_get_xfrm_state skb_cgroup_classid skb_cgroup_id skb_ancestor_cgroup_id sk_lookup_tcp
            sk_lookup_udp sk_release tcp_sock get_listener_sock skc_lookup_tcp tcp_check_syncookie skb_ecn_set_ce
            tcp_gen_syncookie sk_assign skb_set_tstamp tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6
            tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6
            """),
        ("xdp", """
            +sk_base perf_event_output get_smp_processor_id csum_diff xdp_adjust_head xdp_adjust_meta redirect
            redirect_map xdp_adjust_tail xdp_get_buff_len xdp_load_bytes xdp_store_bytes fib_lookup check_mtu
            sk_lookup_udp sk_lookup_tcp sk_release skc_lookup_tcp tcp_check_syncookie tcp_gen_syncookie
            tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
            tcp_raw_check_syncookie_ipv6
            """),
        ("cgroup_current", "get_current_uid_gid get_current_comm get_cgroup_classid@curr current_task_under_cgroup"),
        ("cg_skb", """
            +sk_filter get_local_storage sk_fullsock sk_storage_get sk_storage_delete skb_cgroup_id
            skb_ancestor_cgroup_id sk_cgroup_id sk_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp sk_release
            skc_lookup_tcp tcp_sock get_listener_sock skb_ecn_set_ce
            """),
        ("cg_sock", """
            +base +cgroup_current get_local_storage get_retval set_retval get_socket_cookie get_netns_cookie
            perf_event_output sk_storage_get@cg_sock ktime_get_coarse_ns
            """),
        ("sock_addr", """
            +sk_base +cgroup_current get_local_storage get_socket_cookie get_netns_cookie perf_event_output
            sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp sk_storage_get sk_storage_delete setsockopt getsockopt
            """),
        ("sock_ops", """
            +sk_base setsockopt getsockopt sock_ops_cb_flags_set sock_map_update sock_hash_update get_socket_cookie
            get_local_storage perf_event_output sk_storage_get sk_storage_delete get_netns_cookie load_hdr_opt
            store_hdr_opt reserve_hdr_opt tcp_sock
            """),
        ("sk_msg", """
            +sk_base msg_redirect_map msg_redirect_hash msg_apply_bytes msg_cork_bytes msg_pull_data msg_push_data
            msg_pop_data perf_event_output get_current_uid_gid sk_storage_get sk_storage_delete get_netns_cookie
            get_cgroup_classid@curr
            """),
        ("sk_skb", """
            +sk_base skb_store_bytes skb_load_bytes skb_pull_data skb_change_tail skb_change_head skb_adjust_room
            get_socket_cookie get_socket_uid sk_redirect_map sk_redirect_hash perf_event_output sk_lookup_tcp
            sk_lookup_udp sk_release skc_lookup_tcp
            """),
        ("flow_dissector", "+sk_base skb_load_bytes"),
        ("lwt_common", """
            +sk_base skb_load_bytes csum_diff get_cgroup_classid get_route_realm get_hash_recalc perf_event_output
            get_smp_processor_id skb_under_cgroup
            """),
        ("lwt_out", "+lwt_common skb_pull_data"),
        ("lwt_in", "+lwt_out lwt_push_encap"),
        ("lwt_xmit", """
            +lwt_out skb_get_tunnel_key skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt redirect clone_redirect
            skb_change_tail skb_change_head skb_store_bytes csum_update csum_level l3_csum_replace l4_csum_replace
            set_hash_invalid lwt_push_encap
            """),
        ("lwt_seg6local", "+lwt_common lwt_seg6_store_bytes lwt_seg6_action lwt_seg6_adjust_srh"),
        ("sk_reuseport", """
            +base sk_select_reuseport skb_load_bytes skb_load_bytes_relative get_socket_cookie@ptr ktime_get_coarse_ns
            """),
        ("sk_lookup", "+sk_base perf_event_output sk_assign@sk_lookup sk_release"),
        ("cgroup_device", "+base +cgroup_current get_local_storage get_retval set_retval perf_event_output"),
        ("cgroup_sysctl", """
            +base +cgroup_current get_local_storage get_retval set_retval sysctl_get_name sysctl_get_current_value
            sysctl_get_new_value sysctl_set_new_value ktime_get_coarse_ns perf_event_output
            """),
        ("cgroup_sockopt", """
            +base +cgroup_current get_local_storage get_retval set_retval get_netns_cookie sk_storage_get
            sk_storage_delete tcp_sock perf_event_output
            """),
        ("lirc_mode2", """
            rc_repeat rc_keydown rc_pointer_rel map_lookup_elem map_update_elem map_delete_elem map_push_elem
            map_pop_elem map_peek_elem ktime_get_ns ktime_get_boot_ns tail_call get_prandom_u32 trace_printk
            """),
    ];

    private static readonly FrozenDictionary<string, FrozenDictionary<HelperId, HelperSpec>> ByName = Build();

    /// <summary>
    /// The helper as programs of the named kind see it, or <see langword="null"/> where they may not call it.
    /// </summary>
    public static HelperSpec? Find(string set, HelperId id) => ByName[set].GetValueOrDefault(id);

    private static FrozenDictionary<string, FrozenDictionary<HelperId, HelperSpec>> Build()
    {
        var built = new Dictionary<string, Dictionary<HelperId, HelperSpec>>();
        foreach (var (name, list) in Lists)
        {
            var set = new Dictionary<HelperId, HelperSpec>();
            var words = list.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
            foreach (var word in words.Where(w => w[0] != '+'))
            {
                var parts = word.Split('@');
                var id = HelperParser.ParseId(parts[0]);
                set.Add(id, HelperTable.Find(id, parts.Length > 1 ? parts[1] : "")!);
            }

            foreach (var inherited in words.Where(w => w[0] == '+').SelectMany(w => built[w[1..]]))
            {
                set.TryAdd(inherited.Key, inherited.Value);
            }

            built.Add(name, set);
        }

        return built.ToFrozenDictionary(b => b.Key, b => b.Value.ToFrozenDictionary());
    }
}
