using System.Collections.Immutable;

namespace Kptr.Soundness;

/// <summary>Where a pointer comes from.</summary>
/// <param name="Name">Its name in tables.</param>
/// <param name="Take">What leaves it in r0.</param>
internal sealed record PointerOrigin(string Name, params string[] Take)
{
    /// <summary>Whether it is null where there is none, and to be compared first.</summary>
    internal bool MayBeNull { get; init; }

    /// <summary>What gives it back; null where the program owns nothing.</summary>
    internal string? Release { get; init; }

    /// <summary>The map and the field that can keep it.</summary>
    internal (string Map, int Off)? Slot { get; init; }

    /// <summary>Sections of the programs that can have it; empty for all.</summary>
    internal string[] Sections { get; init; } = [];

    /// <summary>Where to go when there is none.</summary>
    internal string None => Unlock.Length > 0 ? "unlock" : "none";

    /// <summary>What ends the lock that it was taken under.</summary>
    internal string[] Unlock { get; init; } = [];

    /// <summary>Functions that it is made with.</summary>
    internal string[] Functions { get; init; } = [];

    private static string[] Elem(string map) =>
    [
        $"r1 = {map} ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem", "if r0 == 0 goto none",
    ];

    private static PointerOrigin Found(string name, string release, string take, params string[] args) =>
        new(name, [.. args, $"call {take}"]) { MayBeNull = true, Release = release };

    private static PointerOrigin Kept(string name, string map, int off) =>
        new(name, [.. Elem(map), $"r0 = *(u64 *)(r0 + {off})"]) { MayBeNull = true };

    private static PointerOrigin Of(string name, params string[] fields) =>
        new(name, ["call bpf_get_current_task_btf", .. fields.Select(f => $"r0 = *(u64 *)(r0 + {{{f}}})")]);

    private static readonly string[] s_newItem = ["r1 = {item} ll", "r2 = 0", "call bpf_obj_new_impl"];
    private static readonly string[] s_locked =
        [.. Elem("guarded_array"), "r8 = r0", "r1 = r0", "call bpf_spin_lock"];
    private static readonly string[] s_unlock = ["r1 = r8", "call bpf_spin_unlock"];

    private static string[] Insert(bool toTree) =>
    [
        .. s_newItem.Select(Typed), "if r0 == 0 goto none", "r9 = r0", .. Elem("guarded_array").SkipLast(1),
        "if r0 == 0 goto drop", "goto lock", "drop:", "r1 = r9", .. Call("bpf_obj_drop_impl"), "goto none", "lock:",
        "r8 = r0", "r1 = r0", "call bpf_spin_lock", "r1 = r8", $"r1 += {(toTree ? 24 : 8)}", "r2 = r9",
        .. toTree ? ["r2 += 24", "r3 = fn_less0 ll", "r4 = 0", "r5 = 24", "call bpf_rbtree_add_impl"]
            : (string[])["r3 = 0", "r4 = 0", "r5 = 0", "call bpf_list_push_back_impl"],
        "r0 = r9",
    ];

    private static string Typed(string line) => line
        .Replace("{item}", $"{ProgBase.Ownership.StructId("item")}", StringComparison.Ordinal)
        .Replace("{counters}", $"{ProgBase.Ownership.StructId("counters")}", StringComparison.Ordinal);

    private static readonly string[] s_iter = ["r1 = r10", "r1 += -200"];
    private static readonly string[] s_dynptr = ["r4 = r10", "r4 += -224"];
    private static readonly string[] s_slice =
        ["*(u64 *)(r10 - 40) = 0", "r1 = r10", "r1 += -224", "r2 = 0", "r3 = r10", "r3 += -40", "r4 = 8"];
    private static readonly string[] s_data = ["r1 = r10", "r1 += -224", "r2 = 0", "r3 = 8", "call bpf_dynptr_data"];
    private static readonly string[] s_ofValue =
        [.. Elem("plain_array"), "r1 = r0", "r2 = 8", "r3 = 0", .. s_dynptr, "call bpf_dynptr_from_mem"];
    private static readonly string[] s_ofPacket =
        ["r1 = r6", "r2 = 0", "r3 = r10", "r3 += -224", "call bpf_dynptr_from_skb"];

    // What an iterator gives, while it runs.
    private static PointerOrigin Next(string name, string kind, params string[] args) => new(
        name, [.. args, .. s_iter, $"call bpf_iter_{kind}_new", .. s_iter, $"call bpf_iter_{kind}_next"])
        { MayBeNull = true, Unlock = [.. s_iter, $"call bpf_iter_{kind}_destroy"] };

    /// <summary>The lines that hand r1 to what gives it back.</summary>
    internal static string[] Call(string release) => release is "bpf_obj_drop_impl" or "bpf_percpu_obj_drop_impl"
        or "bpf_ringbuf_discard" ? ["r2 = 0", $"call {release}"] : [$"call {release}"];

    /// <summary>All of them.</summary>
    internal static ImmutableArray<PointerOrigin> All { get; } =
    [
        new("context", "r0 = r6"),
        new("frame", "r0 = r10", "r0 += -8"),
        new("number", "r0 = 4096"),
        new("null", "r0 = 0"),
        new("map", "r0 = plain_array ll"),
        new("value", "r1 = plain_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem") { MayBeNull = true },
        new("slots", "r1 = held_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem") { MayBeNull = true },
        new("argument", "r0 = *(u64 *)(r6 + 0)") { Sections = ["tp_btf/task_newtask"] },
        new("current", "call bpf_get_current_task_btf"),
        Found("task", "bpf_task_release", "bpf_task_from_pid", "r1 = 1") with { Slot = ("held_array", 8) },
        Kept("kept_task", "held_array", 8),
        Of("parent", "task_struct.real_parent"),
        Of("leader", "task_struct.group_leader"),
        Of("wakee", "task_struct.last_wakee"),
        Of("mm", "task_struct.mm"),
        Of("css_set", "task_struct.cgroups"),
        Of("dfl_cgroup", "task_struct.cgroups", "css_set.dfl_cgrp"),
        Of("cpus", "task_struct.cpus_ptr"),
        new("cast", "call bpf_get_current_task_btf", "r1 = r0", "r2 = {#task_struct}", "call bpf_rdonly_cast"),
        Found("cgroup", "bpf_cgroup_release", "bpf_cgroup_from_id", "r1 = 1") with { Slot = ("kept_array", 8) },
        Kept("kept_cgroup", "kept_array", 8),
        Found("mask", "bpf_cpumask_release", "bpf_cpumask_create") with { Slot = ("held_array", 16) },
        Kept("kept_mask", "held_array", 16),
        Found("item", "bpf_obj_drop_impl", "bpf_obj_new_impl", [.. s_newItem[..2].Select(Typed)])
            with { Slot = ("held_array", 24) },
        Kept("kept_item", "held_array", 24),
        new("pushed_item", Insert(toTree: false)) { Unlock = s_unlock },
        new("added_item", Insert(toTree: true)) { Unlock = s_unlock },
        new("first_item", [.. s_locked, "r1 = r8", "r1 += 24", "call bpf_rbtree_first"])
            { MayBeNull = true, Unlock = s_unlock },
        new("popped_item",
            [.. s_locked, "r1 = r8", "r1 += 8", "call bpf_list_pop_front", "r9 = r0", "r1 = r8", "call bpf_spin_unlock",
                "r0 = r9"]) { MayBeNull = true, Release = "bpf_obj_drop_impl" },
        new("removed_item",
            [.. s_locked, "r1 = r8", "r1 += 24", "call bpf_rbtree_first", "if r0 == 0 goto o1", "r1 = r8", "r1 += 24",
                "r2 = r0", "call bpf_rbtree_remove", "o1:", "r9 = r0", "r1 = r8", "call bpf_spin_unlock", "r0 = r9"])
            { MayBeNull = true, Release = "bpf_obj_drop_impl" },
        Found("counters", "bpf_percpu_obj_drop_impl", "bpf_percpu_obj_new_impl", Typed("r1 = {counters} ll"), "r2 = 0")
            with { Slot = ("kept_array", 16) },
        Kept("kept_counters", "kept_array", 16),
        Kept("kept_crypto", "kept_array", 24),
        Found("record", "bpf_ringbuf_discard", "bpf_ringbuf_reserve", "r1 = ring ll", "r2 = 64", "r3 = 0"),
        Found("key", "bpf_key_put", "bpf_lookup_system_key", "r1 = 0"),
        Found("socket", "bpf_sk_release", "bpf_sk_lookup_tcp",
            "*(u64 *)(r10 - 16) = 0", "*(u64 *)(r10 - 24) = 0", "r1 = r6", "r2 = r10", "r2 += -24", "r3 = 12",
            "r4 = -1", "r5 = 0") with { Sections = ["tc"] },
        Found("common", "bpf_sk_release", "bpf_skc_lookup_tcp",
            "*(u64 *)(r10 - 16) = 0", "*(u64 *)(r10 - 24) = 0", "r1 = r6", "r2 = r10", "r2 += -24", "r3 = 12",
            "r4 = -1", "r5 = 0") with { Sections = ["tc"] },
        new("skb_sk", "r0 = *(u64 *)(r6 + 168)") { Sections = ["tc"], MayBeNull = true },
        new("packet", "r0 = *(u32 *)(r6 + 76)") { Sections = ["tc"] },
        new("note", "call bpf_get_current_task_btf", "r1 = task_notes ll", "r2 = r0", "r3 = 0", "r4 = 1",
            "call bpf_task_storage_get") { MayBeNull = true },
        new("fresh_frame", "r0 = r10", "r0 += -400"),
        new("function", "r0 = fn_loop3 ll") { Functions = ["fn_loop3:", "r0 = 0", "exit"] },
        new("kern_context", "r1 = r6", "call bpf_cast_to_kern_ctx"),
        new("timed", "r1 = timed_array ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem") { MayBeNull = true },
        new("percpu_value", "r1 = plain_percpu ll", "r2 = r10", "r2 += -8", "call bpf_map_lookup_elem")
            { MayBeNull = true },
        new("locked_value", [.. s_locked, "r0 = r8"]) { Unlock = s_unlock },
        new("counters_here", [.. Elem("kept_array"), "r1 = *(u64 *)(r0 + 16)", "if r1 == 0 goto none",
            "call bpf_this_cpu_ptr"]),
        Next("iter_task", "task", "r2 = 0", "r3 = 0"),
        Next("iter_num", "num", "r2 = 0", "r3 = 3"),
        Next("iter_css", "css", "call bpf_get_current_task_btf", "r2 = *(u64 *)(r0 + {task_struct.cgroups})",
            "r2 = *(u64 *)(r2 + {css_set.dfl_cgrp})", "r3 = 1"),
        Next("iter_vma", "task_vma", "call bpf_get_current_task_btf", "r2 = r0", "r3 = 0"),
        new("iterator", [.. s_iter, "r2 = 0", "r3 = 3", "call bpf_iter_num_new", .. s_iter, "r0 = r1"])
            { Unlock = [.. s_iter, "call bpf_iter_num_destroy"] },
        new("dynptr", [.. s_ofValue, "r0 = r10", "r0 += -224"]),
        new("data", [.. s_ofValue, .. s_data]) { MayBeNull = true },
        new("slice", [.. s_ofValue, .. s_slice, "call bpf_dynptr_slice"]) { MayBeNull = true },
        new("slice_rdwr", [.. s_ofValue, .. s_slice, "call bpf_dynptr_slice_rdwr"]) { MayBeNull = true },
        new("ring_data",
            ["r1 = ring ll", "r2 = 64", "r3 = 0", .. s_dynptr, "call bpf_ringbuf_reserve_dynptr", .. s_data])
        {
            MayBeNull = true, Unlock = ["r1 = r10", "r1 += -224", "r2 = 0", "call bpf_ringbuf_discard_dynptr"],
        },
        new("packet_slice", [.. s_ofPacket, .. s_slice, "call bpf_dynptr_slice"])
            { MayBeNull = true, Sections = ["tc"] },
        new("packet_slice_rdwr", [.. s_ofPacket, .. s_slice, "call bpf_dynptr_slice_rdwr"])
            { MayBeNull = true, Sections = ["tc"] },
        FromSkb("full_socket", "call bpf_sk_fullsock"),
        FromSkb("tcp_socket", "call bpf_sk_fullsock", "if r0 == 0 goto none", "r1 = r0", "call bpf_tcp_sock"),
        FromSkb("btf_tcp_socket", "call bpf_skc_to_tcp_sock"),
        new("file", "r0 = *(u64 *)(r6 + 0)") { Sections = ["lsm.s/file_open"] },
        new("path", "r0 = *(u64 *)(r6 + 0)", "r0 += {file.f_path}") { Sections = ["lsm.s/file_open"] },
        new("inode", "r0 = *(u64 *)(r6 + 0)", "r0 = *(u64 *)(r0 + {file.f_inode})") { Sections = ["lsm.s/file_open"] },
        Found("exe_file", "bpf_put_file", "bpf_get_task_exe_file", "call bpf_get_current_task_btf", "r1 = r0")
            with { Sections = ["lsm.s/file_open"] },
    ];

    private static PointerOrigin FromSkb(string name, params string[] take) =>
        new(name, ["r1 = *(u64 *)(r6 + 168)", "if r1 == 0 goto none", .. take]) { MayBeNull = true, Sections = ["tc"] };
}
