using Kptr.Btf;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Testing.Cells;

/// <summary>
/// One point of the product. The kernel is 6.12 where the policy is eager, and 7.2 where it recycles.
/// </summary>
internal readonly record struct Cell(
    CellMap Map, CellOp Op, MapUpdateFlags Flags, CellFields Fields, BtfRecord Record, CellContext Context,
    DestroyBehavior Policy)
{
    /// <summary>CPUs of the kernel that cells are carried out in.</summary>
    internal const int CpuCount = 2;

    /// <summary>Nodes that are put into each list and tree.</summary>
    internal const int NodesPerRoot = 2;

    /// <summary>All points of one map under one policy, possible or not.</summary>
    internal static IEnumerable<Cell> All(
        CellMap map, IReadOnlyList<(CellFields Fields, BtfRecord Record)> values, DestroyBehavior policy) =>
        from op in Enum.GetValues<CellOp>()
        from flags in CellFlags.Of(op)
        from value in values
        from context in Enum.GetValues<CellContext>()
        select new Cell(map, op, flags, value.Fields, value.Record, context, policy);

    internal bool IsNew => Policy == DestroyBehavior.Recycle;

    internal bool HasLock => !Map.IsOuter && Record.Has(BtfFieldKind.SpinLock);

    /// <summary>Timers and work items that one value has running.</summary>
    internal int AsyncPerValue =>
        Map.IsInner || Map.IsOuter ? 0
        : Record.Fields.Count(f => f.Kind is BtfFieldKind.Timer or BtfFieldKind.Workqueue);

    internal bool IsUser => Context is CellContext.User or CellContext.InsideReader or CellContext.InsideTraceReader;

    /// <summary>References that one full value owns.</summary>
    internal int OwnedPerValue => Record.Fields.Sum(OwnedBy);

    /// <summary>References that one full value owns, on all CPUs.</summary>
    internal int OwnedPerKey => OwnedPerValue * (Map.IsPercpu ? CpuCount : 1);

    /// <summary>Whether it is the kit's own struct, whose lists it can fill.</summary>
    internal bool IsKitStruct => Fields != CellFields.Own;

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Op} with {CellFlags.Text(Flags)} from {Context}, values with {Fields.Name}";

    // What the kit can put into a field.
    private int OwnedBy(BtfField field) => field.Kind switch
    {
        BtfFieldKind.KptrRef => CellThing.CanMake(field) ? 1 : 0,
        BtfFieldKind.KptrPercpu => IsKitStruct ? 1 : 0,
        BtfFieldKind.ListHead or BtfFieldKind.RbRoot => IsKitStruct ? NodesPerRoot : 0,
        _ => 0,
    };
}
