using Kptr.Btf;

namespace Kptr.Specs;

/// <summary>To which programs a map that can hold programs belongs: to those like the first that uses it.</summary>
/// <remarks>
/// A tail call takes its caller's context along, and what a map of devices or CPUs runs gets that of the program that
/// redirects. Kernel: <c>struct bpf_map_owner</c>, <c>__bpf_prog_map_compatible</c> (kernel/bpf/core.c, 7.2).
/// </remarks>
/// <param name="Type">Type of the programs.</param>
/// <param name="HasXdpFrags">Whether they take packets in parts.</param>
/// <param name="IsSleepable">Whether they may sleep.</param>
/// <param name="Attach">What they attach to, 0 where that is not said; of <c>struct_ops</c> the member.</param>
/// <param name="Proto">Prototype of what they attach to, where BTF describes it.</param>
/// <param name="Storage">Their cgroup storage, if any.</param>
/// <param name="PercpuStorage">Their cgroup storage of each CPU, if any.</param>
internal sealed record MapOwner(
    ProgType Type,
    bool HasXdpFrags,
    bool IsSleepable,
    int Attach,
    BtfRef? Proto,
    object? Storage,
    object? PercpuStorage)
{
    /// <summary>Whether maps of the type have an owner.</summary>
    internal static bool IsFor(BpfMapType map) =>
        map is BpfMapType.ProgArray or BpfMapType.Devmap or BpfMapType.Cpumap;

    /// <summary>What a program asks of the maps that it uses.</summary>
    internal static MapOwner Of(
        ProgSpec prog, KernelTypes types, object? storage = null, object? percpuStorage = null) => new(
            prog.Type,
            (prog.LoadFlags & LoadFlag.XdpHasFrags) != 0,
            prog.IsSleepable,
            prog.Type == ProgType.StructOps ? prog.StructOpsMember : (int)(prog.ExpectedAttachType ?? 0),
            ProtoOf(prog, types),
            storage,
            percpuStorage);

    /// <summary>Whether a program that asks for <paramref name="other"/> may use a map of this owner.</summary>
    /// <param name="other">Of the program.</param>
    /// <param name="map">Type of the map.</param>
    /// <param name="tailCalls">Whether the program makes tail calls.</param>
    internal bool Admits(MapOwner other, BpfMapType map, bool tailCalls) =>
        Type == other.Type && HasXdpFrags == other.HasXdpFrags && IsSleepable == other.IsSleepable
        && (map != BpfMapType.ProgArray || Attach == other.Attach)
        && (Proto == other.Proto
            || Type is not (ProgType.Tracing or ProgType.Lsm or ProgType.Ext or ProgType.StructOps))
        && AdmitsStorage(Storage, other.Storage, tailCalls)
        && AdmitsStorage(PercpuStorage, other.PercpuStorage, tailCalls);

    private static bool AdmitsStorage(object? ours, object? theirs, bool tailCalls) =>
        ReferenceEquals(ours, theirs) || (theirs is null && !tailCalls);

    private static BtfRef? ProtoOf(ProgSpec prog, KernelTypes types)
    {
        if (prog.AttachBtf is not { } at)
        {
            return null;
        }

        var type = types[at];
        if (type.Kind == BtfKind.Struct && (uint)prog.StructOpsMember < (uint)type.VLen)
        {
            type = type.Btf[type.Member(prog.StructOpsMember).TypeId];
        }

        while (type.Kind is BtfKind.Func or BtfKind.Ptr || BtfSpec.IsModifier(type.Kind))
        {
            type = type.Btf[type.RefTypeId];
        }

        return new(at.BtfIdx, type.Id);
    }
}
