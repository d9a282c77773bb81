namespace Kptr.Tests.Kfuncs;

/// <summary>Why calls have no body: what no model can have, and what this one has not yet.</summary>
internal static class CallGaps
{
    /// <summary>A call's name is one of these, or fits one with <c>*</c>; the first row counts.</summary>
    internal static readonly (string Reason, string[] Names)[] CannotBe =
    [
        ("what hardware counts and records: the model executes on no modelled processor",
            ["bpf_perf_event_read", "bpf_perf_event_read_value", "bpf_perf_prog_read_value", "bpf_get_branch_snapshot",
                "bpf_read_branch_records"]),
        ("memory and registers of a process that runs code of its own, and functions of the kernel that run: tasks of "
            + "the model run none",
            ["bpf_probe_write_user", "bpf_task_pt_regs", "bpf_copy_from_user_*", "bpf_probe_read_user_*",
                "bpf_override_return", "crash_kexec"]),
        ("system calls of a loader program: C# is the loader, and the model has no file descriptors of maps and BTF",
            ["bpf_sys_bpf", "bpf_sys_close", "bpf_btf_find_by_name_kind", "bpf_kallsyms_lookup_name"]),
        ("segments of TCP's own: sockets of the model send none", ["bpf_tcp_send_ack"]),
        ("devices: the model has no input device, no infrared receiver and no buffers of graphics drivers",
            ["hid_*", "bpf_rc_*", "bpf_iter_dmabuf_*"]),
        ("keys of the network stack's own: cookies, and tunnels that encrypt",
            ["bpf_tcp_raw_*", "bpf_skb_get_xfrm_*", "bpf_skb_set_xfrm_*", "bpf_xdp_get_xfrm_*", "bpf_xdp_xfrm_*"]),
        ("content of files on a disk, its measures and signatures: files of the model have none",
            ["bpf_ima_*", "bpf_get_fsverity_digest", "bpf_verify_pkcs7_signature", "bpf_get_file_xattr",
                "bpf_*_dentry_xattr"]),
        ("the kernel's own allocator and memory accounting: the model's memory is the host's",
            ["bpf_get_kmem_cache", "bpf_iter_kmem_cache_*", "bpf_*mem_cgroup*", "css_rstat_*"]),
        ("of the selftests' module: `tests/Kptr.KernelSelftests/Testmod` has bodies of those that 6.12 has",
            ["bpf_kfunc_call_*", "bpf_modify_return_test_tp"]),
    ];

    /// <summary>What the model could have, and has not.</summary>
    internal static readonly (string Reason, string[] Names)[] NotYet =
    [
        ("packets: protocols that a helper rewrites, and events with packets",
            ["bpf_skb_*", "bpf_xdp_*", "bpf_lwt_*", "bpf_dynptr_from_skb_meta", "bpf_kfree_skb"]),
        ("sockets: options of headers, requests and addresses",
            ["bpf_load_hdr_opt", "bpf_store_hdr_opt", "bpf_reserve_hdr_opt", "bpf_sk_assign_tcp_reqsk",
                "bpf_sock_*"]),
        ("of 7.2: signals to other tasks", ["bpf_send_signal_task"]),
        ("sched_ext: the model's CPUs run what a test says, and have no queues that tasks are dispatched to",
            ["scx_*", "__scx_*", "bpf_iter_scx_*"]),
        ("queueing disciplines", ["bpf_qdisc_*"]),
        ("types as text", ["bpf_snprintf_btf", "bpf_seq_printf_btf"]),
        ("exec: its credentials", ["bpf_bprm_opts_set"]),
        ("of 6.12: programs at both ends of a function", ["bpf_session_*"]),
        ("of 7.2: strings, dynptrs, lists and trees, streams, attributes of cgroups, timers, interrupts, "
            + "locks that may fail, wakeup sources, traps",
            ["bpf_str*", "bpf_dynptr_*", "bpf_probe_read_kernel_*", "bpf_list_*", "bpf_rbtree_*",
                "bpf_cgroup_read_xattr", "bpf_cpumask_populate", "bpf_timer_cancel_async",
                "bpf_local_irq_*", "bpf_res_spin_*", "bpf_wakeup_sources_*", "__bpf_trap"]),
    ];

    internal static bool IsIn(string name, string[] names) => names.Any(n => n.Split('*') switch
    {
        [var all] => name == all,
        [var before, var after] => name.StartsWith(before, StringComparison.Ordinal)
            && name[before.Length..].EndsWith(after, StringComparison.Ordinal),
        [var before, var inside, _] => name.StartsWith(before, StringComparison.Ordinal)
            && name.Contains(inside, StringComparison.Ordinal),
        _ => false,
    });
}
