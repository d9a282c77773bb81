using System.Collections.Immutable;
using Kptr.Btf;

namespace Kptr.Specs;

/// <summary>Blueprint of a kfunc, made from its one declaration.</summary>
/// <param name="Name">The kernel's name, <c>bpf_task_acquire</c>.</param>
/// <param name="Prototype">
/// Its C prototype with the kernel's parameter names, whose suffixes carry meaning (<c>__sz</c>, <c>__k</c>,
/// <c>__ign</c>...); it becomes the FUNC and FUNC_PROTO of the built-in kernel BTF. With a real vmlinux BTF,
/// that BTF's prototype counts.
/// </param>
/// <param name="Flags">The <c>KF_</c> flags.</param>
public sealed record KfuncSpec(string Name, string Prototype, KfuncFlags Flags)
{
    /// <summary>Program types that may call it (<c>register_btf_kfunc_id_set</c>); empty means every type.</summary>
    public ImmutableArray<ProgType> ProgTypes { get; init; } = [];

    /// <summary>Expected attach types that may call it (the kernel's filter of a set); empty means every one.</summary>
    public ImmutableArray<AttachType> AttachTypes { get; init; } = [];

    /// <summary>The kernel's structs of functions whose members alone may call it; empty for every one's.</summary>
    internal ImmutableArray<string> StructOpsTypes { get; init; } = [];

    /// <summary>Of these structs, the members that may call it; empty means every one.</summary>
    internal ImmutableArray<string> StructOpsMembers { get; init; } = [];

    /// <summary>Profiles that have it.</summary>
    public ProfileSet Profiles { get; init; } = ProfileSet.All;

    /// <summary>Name and flags.</summary>
    public override string ToString() => $"kfunc {Name} ({Flags})";

    /// <summary>The module that has it, or null for vmlinux.</summary>
    public string? Module { get; init; }

    /// <summary>Whether a program may call it at all; sleepable kfuncs ask for more.</summary>
    internal bool IsOpenTo(ProgSpec prog, KernelSpec kernel) => (Profiles & kernel.Profile.Member) != 0
        && (StructOpsTypes.IsDefaultOrEmpty || prog.Type != ProgType.StructOps || !kernel.Profile.FiltersSchedulerKfuncs
            || (prog.AttachBtf is { } type && IsOpenTo(kernel.Types[type], prog.StructOpsMember)))
        && (ProgTypes.IsDefaultOrEmpty || ProgTypes.Contains(prog.Type))
        && (AttachTypes.IsDefaultOrEmpty || (prog.ExpectedAttachType is { } at && AttachTypes.Contains(at)));

    private bool IsOpenTo(BtfType type, int member) => StructOpsTypes.Contains(type.Name)
        && (StructOpsMembers.IsDefaultOrEmpty
            || ((uint)member < (uint)type.VLen && StructOpsMembers.Contains(type.Member(member).Name)));
}
