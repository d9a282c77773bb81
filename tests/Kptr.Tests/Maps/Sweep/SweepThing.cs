using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Something that a value of the sweep owns: an object in a kptr slot, or a node of a list or tree.</summary>
internal sealed unsafe class SweepThing
{
    private static readonly FakeRun Run = new();
    private readonly KernelObject _obj;

    private SweepThing(KernelObject obj) => _obj = obj;

    internal ulong Address => _obj.Address;

    /// <summary>Written through a pointer to a deleted value.</summary>
    internal bool IsLate { get; init; }

    /// <summary>A program took it out of its slot and released it: not the map's doing.</summary>
    internal bool IsTakenOut { get; set; }

    /// <summary>Whether its reference was given back; its destructor may wait for a grace period.</summary>
    internal bool IsReleased => _obj.IsFreed || _obj.Count.Value == 0;

    internal int DestructorRuns => _obj is Widget widget ? widget.DestructorRuns : _obj.IsFreed ? 1 : 0;

    /// <summary>Fills one field of a value.</summary>
    internal static IEnumerable<SweepThing> Fill(KernelCore core, BtfField field, ulong at)
    {
        if ((field.Kind & (BtfFieldKind.KptrRef | BtfFieldKind.KptrPercpu)) != 0)
        {
            yield return Exchange(core, at, isLate: false, out _);
        }

        for (var i = 0; (field.Kind & BtfFieldKind.GraphRoot) != 0 && i < SweepCell.NodesPerRoot; i++)
        {
            yield return AddNode(core, field, at);
        }
    }

    /// <summary>Puts a new object into a kptr slot.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="isLate">Whether the value is deleted.</param>
    /// <param name="old">Address of what was there; its reference is given back.</param>
    internal static SweepThing Exchange(KernelCore core, ulong slot, bool isLate, out ulong old)
    {
        var widget = new Widget(core);
        var before = Unsafe.AsRef<Kptr<Widget>>((void*)slot).Exchange(KernelRef.Own(widget));
        old = before?.Address ?? 0;
        before?.Release();
        return new(widget) { IsLate = isLate };
    }

    private static SweepThing AddNode(KernelCore core, BtfField field, ulong at)
    {
        var node = core.NewObject(AllocatedTypes.Node, SweepCell.Node);
        core.Ledger.AcquiredByRun(node, Run);
        var place = node.Address + (ulong)field.NodeOffsetBytes;
        var err = field.Kind == BtfFieldKind.ListHead
            ? core.Graphs.ListPush(at, place, atTail: true, Run)
            : core.Graphs.TreeAdd(at, place, static (a, b) => a < b, Run);
        err.Should().Be(Errno.None);
        return new(node);
    }
}
