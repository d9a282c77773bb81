using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// What maps of maps have in common: a slot holds an inner map's address and owns a reference on the map.
/// </summary>
/// <remarks>
/// Kernel: <c>kernel/bpf/map_in_map.c</c> (6.12). User space names maps by id, in both directions;
/// Linux takes a descriptor.
/// </remarks>
internal static unsafe class InnerMaps
{
    /// <summary>The blueprint of a map of maps.</summary>
    internal static MapSpec SpecOf<TKey>(KernelCore core, BpfMapType type, string name, uint maxEntries, MapSpec inner)
        where TKey : unmanaged
    {
        ArgumentNullException.ThrowIfNull(core);
        ArgumentNullException.ThrowIfNull(inner);
        PlainStruct.Check<TKey>();
        var spec = new MapSpec(name, type)
        {
            KeySize = Unsafe.SizeOf<TKey>(),
            ValueSize = sizeof(int),
            MaxEntries = maxEntries,
            InnerMap = inner,
        };
        var err = MapRules.Check(spec, core.Spec.Profile);
        return err == Errno.None ? spec : throw new MapCreateException(spec, err);
    }

    /// <summary>Throws unless both maps are of one kernel: another's map has an id there, but not its own.</summary>
    internal static void CheckKernel(BpfMap outer, BpfMap inner)
    {
        ArgumentNullException.ThrowIfNull(inner);
        if (inner.Core != outer.Core)
        {
            throw new ArgumentException($"{inner} is of another kernel than {outer}", nameof(inner));
        }
    }

    /// <summary>Finds a map that may go into the outer one, and takes a reference on it.</summary>
    internal static Errno TryHold(BpfMap outer, int id, out BpfMap inner)
    {
        inner = outer.Core.Ledger.Sources().OfType<BpfMap>().FirstOrDefault(m => m.Id == id)!;
        return inner is null ? Errno.EBADF
            : !Fits(outer, inner) || !inner.TryHold() ? Errno.EINVAL : Errno.None;
    }

    /// <summary>Empties a slot.</summary>
    internal static ulong TakeOut(ulong slot) => Interlocked.Exchange(ref *(ulong*)slot, 0);

    /// <summary>Reads a slot: the inner map's address, or 0.</summary>
    internal static ulong Peek(ulong slot) => slot == 0 ? 0 : Volatile.Read(ref *(ulong*)slot);

    /// <summary>
    /// Gives the reference of a slot back. A program may still have the inner map's pointer,
    /// from either kind of reader.
    /// </summary>
    internal static void Drop(BpfMap outer, ulong address, bool needsDefer)
    {
        var inner = BpfMap.FromAddress(outer.Core, address);
        Invariant.That(inner is not null, "an outer map holds an address that is no map");
        if (needsDefer)
        {
            inner.DeferFree(MapFreeWait.RcuAndTasksTrace);
        }

        inner.Put();
    }

    private static bool Fits(BpfMap outer, BpfMap inner)
    {
        var wanted = outer.Spec.InnerMap!;
        return !inner.HoldsMaps
            && wanted.Type == inner.Type && wanted.OwnType == inner.Spec.OwnType
            && wanted.KeySize == inner.KeySize && wanted.ValueSize == inner.ValueSize
            && wanted.Flags == inner.Flags && wanted.Record.HasSameFields(inner.Record)
            && (inner.Type is not (BpfMapType.Array or BpfMapType.PercpuArray)
                || (wanted.Flags & MapFlags.InnerMap) != 0
                || wanted.MaxEntries == inner.Spec.MaxEntries);
    }
}
