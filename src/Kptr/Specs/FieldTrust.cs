using System.Collections.Frozen;

namespace Kptr.Specs;

/// <summary>Which fields of kernel structs hold pointers that can be trusted, by <c>struct.field</c>.</summary>
/// <param name="Rcu">Trusted in an RCU section and never null.</param>
/// <param name="RcuOrNull">Trusted in an RCU section.</param>
/// <param name="Trusted">Trusted as long as the struct is, and never null.</param>
/// <param name="TrustedOrNull">Trusted as long as the struct is.</param>
/// <remarks>Kernel: the <c>BTF_TYPE_SAFE_*</c> lists of kernel/bpf/verifier.c.</remarks>
internal sealed record FieldTrust(
    FrozenSet<string> Rcu, FrozenSet<string> RcuOrNull, FrozenSet<string> Trusted, FrozenSet<string> TrustedOrNull)
{
    /// <summary>Linux 6.12.</summary>
    internal static FieldTrust Linux6_12 { get; } = new(
        FrozenSet.Create(
            "task_struct.cpus_ptr", "task_struct.cgroups", "task_struct.real_parent", "task_struct.group_leader",
            "cgroup.kn", "css_set.dfl_cgrp"),
        FrozenSet.Create("mm_struct.exe_file", "sk_buff.sk", "request_sock.sk"),
        FrozenSet.Create(
            "bpf_iter_meta.seq", "bpf_iter__task.meta", "bpf_iter__task.task", "linux_binprm.file", "file.f_inode",
            "dentry.d_inode"),
        FrozenSet.Create("socket.sk"));

    /// <summary>Linux 7.2: a dentry may have no inode; more fields are known.</summary>
    internal static FieldTrust Linux7_2 { get; } = new(
        FrozenSet.ToFrozenSet([.. Linux6_12.Rcu, "cgroup_subsys_state.cgroup"]),
        FrozenSet.ToFrozenSet([.. Linux6_12.RcuOrNull, "mm_struct.owner"]),
        FrozenSet.ToFrozenSet(Linux6_12.Trusted.Where(f => f != "dentry.d_inode")),
        FrozenSet.ToFrozenSet(
            [.. Linux6_12.TrustedOrNull, "dentry.d_inode", "vm_area_struct.vm_mm", "vm_area_struct.vm_file"]));
}
