using System.Collections.Immutable;

namespace Kptr.Soundness;

/// <summary>What a program does with a pointer in r7.</summary>
/// <param name="Name">Its name in tables.</param>
/// <param name="Lines">The instructions.</param>
internal sealed record PointerUse(string Name, params string[] Lines)
{
    /// <summary>Whether the reference is gone afterwards.</summary>
    internal bool Takes { get; init; }

    /// <summary>Origins of pointers that nobody asks a kernel about: it would die.</summary>
    internal string[] NotOf { get; init; } = [];

    /// <summary>Functions that it calls.</summary>
    internal string[] Functions { get; init; } = [];

    private static PointerUse Gives(string release) =>
        new(release, ["r1 = r7", .. PointerOrigin.Call(release)]) { Takes = true };

    private static PointerUse Acquires(string acquire, string release, params string[] more) => new(
        acquire,
        [
            "r1 = r7", .. more, $"call {acquire}", "if r0 == 0 goto u1", "r1 = r0", .. PointerOrigin.Call(release),
            "u1:",
        ]);

    private static PointerUse Calls(string name, params string[] args) => new(name, [.. args, $"call {name}"]);

    // What is exchanged out is given back; so is the pointer itself where there is no element.
    private static PointerUse Exchanges(string map, int off, string release) => new(
        $"xchg_{map}_{off}",
        [
            $"r1 = {map} ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem", "if r0 == 0 goto u1", "r1 = r0",
            $"r1 += {off}", "r2 = r7", "call bpf_kptr_xchg", "r7 = r0", "u1:", "if r7 == 0 goto u2", "r1 = r7",
            .. PointerOrigin.Call(release), "u2:",
        ]) { Takes = true };

    private static PointerUse Inserts(string name, int head, string[] node) => new(
        name,
        [
            "r1 = guarded_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem", "if r0 != 0 goto u1",
            "r1 = r7", "r2 = 0", "call bpf_obj_drop_impl", "goto u2", "u1:", "r8 = r0", "r1 = r0",
            "call bpf_spin_lock", "r1 = r8", $"r1 += {head}", "r2 = r7", .. node, $"call {name}", "r1 = r8",
            "call bpf_spin_unlock", "u2:",
        ])
    {
        Takes = true,
        Functions = head == 8 ? [] : ["fn_less1:", "r0 = 0", "exit"],
    };

    private static PointerUse Iterates(string kind, int bytes, params string[] args) => new(
        $"iter_{kind}",
        "r1 = r10", $"r1 += {-64 - bytes}", args[0], args.ElementAtOrDefault(1) ?? "r3 = 0",
        $"call bpf_iter_{kind}_new", "r1 = r10", $"r1 += {-64 - bytes}", $"call bpf_iter_{kind}_destroy");

    // Linux 6.12 looks for the work queue's place in a map that has no special fields.
    private static readonly string[] s_noRecord = ["value", "percpu_value"];

    private static PointerUse CallsOnIt(string name, params string[] more) => Calls(name, ["r1 = r7", .. more]);

    /// <summary>All of them.</summary>
    internal static ImmutableArray<PointerUse> All { get; } =
    [
        new("nothing"),
        new("load", "r1 = *(u64 *)(r7 + 0)"),
        new("load_far", "r1 = *(u32 *)(r7 + 8)"),
        new("load_word", "r1 = *(u32 *)(r7 + 0)"),
        new("load_byte", "r1 = *(u8 *)(r7 + 1)"),
        new("load_before", "r1 = *(u64 *)(r7 - 8)"),
        new("load_twice", "r1 = *(u64 *)(r7 + 0)", "r1 = *(u64 *)(r1 + 0)"),
        new("store", "*(u64 *)(r7 + 0) = 1"),
        new("store_far", "*(u64 *)(r7 + 64) = 1"),
        new("store_byte", "*(u8 *)(r7 + 1) = 1"),
        new("add", "r1 = 1", "lock *(u64 *)(r7 + 64) += r1"),
        new("number", "r1 = r7", "r1 *= 3"),
        new("is_null", "if r7 == 0 goto u1", "u1:"),
        new("compared", "if r7 == r10 goto u1", "u1:"),
        new("greater", "if r7 > 5 goto u1", "u1:"),
        new("into_value", "r1 = plain_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem",
            "if r0 == 0 goto u1", "*(u64 *)(r0 + 0) = r7", "u1:"),
        new("into_slot", "r1 = held_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem", "if r0 == 0 goto u1",
            "*(u64 *)(r0 + 8) = r7", "u1:"),
        new("added_to_value", "r1 = plain_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem",
            "if r0 == 0 goto u1", "lock *(u64 *)(r0 + 0) += r7", "u1:"),
        new("into_context", "*(u64 *)(r6 + 48) = r7"),
        new("as_key", "*(u64 *)(r10 - 40) = r7", "r1 = plain_hash ll", "r2 = r10", "r2 += -40",
            "call bpf_map_lookup_elem"),
        new("returned", "r0 = r7", "exit") { Takes = true },
        new("thrown", "r1 = r7", "call bpf_throw"),
        new("to_static", "r1 = r7", "r2 = 0", "call fn_sub1")
            { Functions = ["fn_sub1:", "r0 = *(u64 *)(r1 + 0)", "exit"] },
        new("to_global", "r1 = r7", "r2 = 0", "call fn_global1")
            { Functions = ["fn_global1:", "r0 = r1", "exit"] },
        new("to_callback", "r1 = 2", "r2 = fn_loop1 ll", "r3 = r7", "r4 = 0", "call bpf_loop")
            { Functions = ["fn_loop1:", "r0 = *(u64 *)(r2 + 0)", "r0 = 0", "exit"] },
        Gives("bpf_task_release"),
        Gives("bpf_cgroup_release"),
        Gives("bpf_cpumask_release"),
        Gives("bpf_obj_drop_impl"),
        Gives("bpf_percpu_obj_drop_impl"),
        Gives("bpf_ringbuf_discard"),
        Gives("bpf_key_put"),
        Gives("bpf_sk_release"),
        Gives("bpf_crypto_ctx_release"),
        Gives("bpf_put_file"),
        Acquires("bpf_task_acquire", "bpf_task_release"),
        Acquires("bpf_cgroup_acquire", "bpf_cgroup_release"),
        Acquires("bpf_cpumask_acquire", "bpf_cpumask_release"),
        Acquires("bpf_crypto_ctx_acquire", "bpf_crypto_ctx_release"),
        Acquires("bpf_refcount_acquire_impl", "bpf_obj_drop_impl", "r2 = 0"),
        Acquires("bpf_task_get_cgroup1", "bpf_cgroup_release", "r2 = 0"),
        Acquires("bpf_cgroup_ancestor", "bpf_cgroup_release", "r2 = 0"),
        Acquires("bpf_get_task_exe_file", "bpf_put_file"),
        Exchanges("held_array", 8, "bpf_task_release"),
        Exchanges("held_array", 16, "bpf_cpumask_release"),
        Exchanges("held_array", 24, "bpf_obj_drop_impl"),
        Exchanges("kept_array", 8, "bpf_cgroup_release"),
        Exchanges("kept_array", 16, "bpf_percpu_obj_drop_impl"),
        Exchanges("kept_array", 24, "bpf_crypto_ctx_release"),
        new("xchg_into", "r1 = r7", "r1 += 8", "r2 = 0", "call bpf_kptr_xchg", "if r0 == 0 goto u1", "r1 = r0",
            "call bpf_task_release", "u1:"),
        Inserts("bpf_list_push_back_impl", 8, ["r3 = 0", "r4 = 0", "r5 = 0"]),
        Inserts("bpf_rbtree_add_impl", 24, ["r2 += 24", "r3 = fn_less1 ll", "r4 = 0", "r5 = 24"]),
        Calls("bpf_task_under_cgroup", "r1 = r7", "r2 = r7"),
        Calls("bpf_cpumask_first", "r1 = r7"),
        Calls("bpf_cpumask_set_cpu", "r1 = 0", "r2 = r7"),
        Calls("bpf_cpumask_test_cpu", "r1 = 0", "r2 = r7"),
        Calls("bpf_this_cpu_ptr", "r1 = r7"),
        Calls("bpf_per_cpu_ptr", "r1 = r7", "r2 = 0"),
        Calls("bpf_task_storage_get", "r1 = task_notes ll", "r2 = r7", "r3 = 0", "r4 = 1"),
        Calls("bpf_task_storage_delete", "r1 = task_notes ll", "r2 = r7"),
        Calls("bpf_cgrp_storage_get", "r1 = cgroup_notes ll", "r2 = r7", "r3 = 0", "r4 = 1"),
        Calls("bpf_task_pt_regs", "r1 = r7"),
        Calls("bpf_probe_read_kernel", "r1 = r10", "r1 += -40", "r2 = 8", "r3 = r7"),
        Calls("bpf_ringbuf_output", "r1 = ring ll", "r2 = r7", "r3 = 8", "r4 = 0"),
        Calls("bpf_map_update_elem", "r1 = plain_hash ll", "r2 = r10", "r2 += -8", "r3 = r7", "r4 = 0"),
        Calls("bpf_map_lookup_elem", "r1 = r7", "r2 = r10", "r2 += -8"),
        new("looked_up_by", "r1 = plain_hash ll", "r2 = r7", "call bpf_map_lookup_elem"),
        Calls("bpf_spin_lock", "r1 = r7"),
        Calls("bpf_tcp_sock", "r1 = r7"),
        Calls("bpf_sk_fullsock", "r1 = r7"),
        Calls("bpf_skc_to_tcp_sock", "r1 = r7"),
        Calls("bpf_rdonly_cast", "r1 = r7", "r2 = {#task_struct}"),
        Calls("bpf_cast_to_kern_ctx", "r1 = r7"),
        Calls("bpf_dynptr_from_mem", "r1 = r7", "r2 = 8", "r3 = 0", "r4 = r10", "r4 += -56"),
        Iterates("css", 24, "r2 = r7", "r3 = 1"),
        Iterates("task", 24, "r2 = r7", "r3 = 0"),
        Iterates("task_vma", 8, "r2 = r7"),

        // Numbers made of it, and what else is compared.
        new("minus_frame", "r1 = r7", "r1 -= r10"),
        new("frame_minus", "r1 = r10", "r1 -= r7"),
        new("plus_frame", "r1 = r7", "r1 += r10"),
        new("minus_itself", "r1 = r7", "r1 -= r7"),
        new("half_of_it", "w1 = w7"),
        new("half_signed", "r1 = (s32)r7"),
        new("swapped", "r1 = r7", "r1 = bswap64 r1"),
        new("negated", "r1 = r7", "r1 = -r1"),
        new("is_itself", "if r7 == r7 goto u1", "u1:"),
        new("half_is_null", "if w7 == 0 goto u1", "u1:"),
        new("has_bit", "if r7 & 1 goto u1", "u1:"),
        new("load_if_any", "if r7 == 0 goto u1", "r1 = *(u64 *)(r7 + 0)", "u1:"),
        new("load_if_none", "if r7 != 0 goto u1", "r1 = *(u64 *)(r7 + 0)", "u1:"),

        // More ways to its memory.
        new("load_signed", "r1 = *(s32 *)(r7 + 0)"),
        new("store_itself", "*(u64 *)(r7 + 0) = r7"),
        new("store_half", "*(u32 *)(r10 - 40) = r7"),
        new("add_word", "r1 = 1", "lock *(u32 *)(r7 + 0) += r1"),
        new("add_and_fetch", "r1 = 1", "r1 = atomic_fetch_add((u64 *)(r7 + 0), r1)"),
        new("exchanged", "r1 = 0", "r1 = xchg_64(r7 + 0, r1)"),
        new("exchanged_itself", "r1 = r7", "r1 = xchg_64(r7 + 0, r1)"),
        new("compare_exchanged", "r0 = 0", "r1 = 1", "r0 = cmpxchg_64(r7 + 0, r0, r1)"),

        // Helpers that fill it, read it, or take what it is.
        new("read_into", "r1 = r7", "r2 = 8", "r3 = r10", "r3 += -8", "call bpf_probe_read_kernel"),
        CallsOnIt("bpf_copy_from_user", "r2 = 8", "r3 = 0"),
        CallsOnIt("bpf_get_current_comm", "r2 = 8"),
        CallsOnIt("bpf_trace_printk", "r2 = 8"),
        Calls("bpf_csum_diff", "r1 = 0", "r2 = 0", "r3 = r7", "r4 = 8", "r5 = 0"),
        Calls("bpf_skb_load_bytes", "r1 = r6", "r2 = 0", "r3 = r7", "r4 = 8"),
        Calls("bpf_skb_store_bytes", "r1 = r6", "r2 = 0", "r3 = r7", "r4 = 8", "r5 = 0"),
        CallsOnIt("bpf_skb_pull_data", "r2 = 0"),
        Calls("bpf_map_delete_elem", "r1 = held_hash ll", "r2 = r7"),
        new("to_each", "r1 = plain_array ll", "r2 = fn_each1 ll", "r3 = r7", "r4 = 0", "call bpf_for_each_map_elem")
            { Functions = ["fn_each1:", "r0 = *(u64 *)(r4 + 0)", "r0 = 0", "exit"] },
        new("each_of", "r1 = r7", "r2 = fn_each1 ll", "r3 = 0", "r4 = 0", "call bpf_for_each_map_elem")
            { Functions = ["fn_each1:", "r0 = 0", "exit"] },
        new("called_back", "r1 = 2", "r2 = r7", "r3 = 0", "r4 = 0", "call bpf_loop"),
        CallsOnIt("bpf_timer_init", "r2 = timed_array ll", "r3 = 1"),
        CallsOnIt("bpf_timer_start", "r2 = 0", "r3 = 0"),
        CallsOnIt("bpf_timer_cancel"),
        CallsOnIt("bpf_wq_init", "r1 += 16", "r2 = timed_array ll", "r3 = 0") with { NotOf = s_noRecord },
        new("wq_of_another", "r1 = r7", "r1 += 16", "r2 = held_array ll", "r3 = 0", "call bpf_wq_init")
            { NotOf = s_noRecord },
        CallsOnIt("bpf_wq_start", "r1 += 16", "r2 = 0") with { NotOf = s_noRecord },
        CallsOnIt("bpf_spin_unlock"),
        CallsOnIt("bpf_rbtree_first", "r1 += 24"),
        CallsOnIt("bpf_iter_num_new", "r2 = 0", "r3 = 3"),
        CallsOnIt("bpf_iter_num_next"),
        CallsOnIt("bpf_iter_num_destroy"),
        CallsOnIt("bpf_iter_task_next"),
        CallsOnIt("bpf_iter_task_destroy"),
        CallsOnIt("bpf_dynptr_data", "r2 = 0", "r3 = 8"),
        CallsOnIt("bpf_dynptr_size"),
        CallsOnIt("bpf_dynptr_clone", "r2 = r10", "r2 += -56"),
        Calls("bpf_dynptr_read", "r1 = r10", "r1 += -40", "r2 = 8", "r3 = r7", "r4 = 0", "r5 = 0"),
        new("bpf_ringbuf_submit", "r1 = r7", "r2 = 0", "call bpf_ringbuf_submit") { Takes = true },
        CallsOnIt("bpf_d_path", "r2 = r10", "r2 += -40", "r3 = 8"),
        CallsOnIt("bpf_path_d_path", "r2 = r10", "r2 += -40", "r3 = 8"),
        CallsOnIt("bpf_get_task_stack", "r2 = r10", "r2 += -40", "r3 = 8", "r4 = 0"),
        new("bpf_find_vma", "r1 = r7", "r2 = 0", "r3 = fn_each1 ll", "r4 = 0", "r5 = 0", "call bpf_find_vma")
            { Functions = ["fn_each1:", "r0 = 0", "exit"] },
        Calls("bpf_copy_from_user_task", "r1 = r10", "r1 += -40", "r2 = 8", "r3 = 0", "r4 = r7", "r5 = 0"),
        Calls("bpf_cpumask_and", "r1 = r7", "r2 = r7", "r3 = r7"),
        CallsOnIt("bpf_cpumask_copy", "r2 = r7"),
        CallsOnIt("bpf_map_sum_elem_count"),
        Calls("bpf_strcmp", "r1 = r7", "r2 = r7"),
        CallsOnIt("bpf_strlen"),
        CallsOnIt("bpf_sock_from_file"),
        CallsOnIt("bpf_send_signal_task", "r2 = 0", "r3 = 1", "r4 = 0"),
    ];
}
