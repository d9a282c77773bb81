using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// <c>BPF_MAP_TYPE_ARRAY</c> and <c>PERCPU_ARRAY</c>: values by index, all there from the start. Also data sections.
/// </summary>
/// <remarks>
/// Nothing can be deleted (<c>-EINVAL</c>). An update writes the value over and then ends what its special fields held:
/// under the eager policy it is an array's only way to let go of a kptr from user space.
/// Kernel: <c>kernel/bpf/arraymap.c</c> (6.12).
/// </remarks>
public class ArrayMap : BpfMap
{
    private readonly uint _count;

    /// <summary>Makes an array.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public ArrayMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Array, BpfMapType.PercpuArray))
    {
        _count = Spec.MaxEntries;
        Values = CreatePool((int)_count, 0, PoolKind.AllLive);
        if (!Spec.InitialValue.IsDefaultOrEmpty)
        {
            CopyIn(Values.AddressOf(0), Spec.InitialValue.AsSpan());
        }

        if (Spec.Frozen)
        {
            Freeze();
        }
    }

    /// <summary>The values.</summary>
    private protected ValuePool Values { get; }

    /// <inheritdoc/>
    internal override bool CanDeleteValues => false;

    /// <inheritdoc/>
    protected override MapBatchOps BatchOps => MapBatchOps.Lookup | MapBatchOps.Update;

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => new(_count, _count, 0);

    /// <inheritdoc/>
    public override Errno DirectValueAddress(uint offsetBytes, out ulong address)
    {
        address = 0;
        if (_count != 1 || IsPerCpu)
        {
            return Errno.ENOTSUPP;
        }

        if (offsetBytes >= (uint)ValueSize)
        {
            return Errno.EINVAL;
        }

        address = Values.ValueOf(0) + offsetBytes;
        return Errno.None;
    }

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        BinaryPrimitives.WriteInt32LittleEndian(key, slot);
        return true;
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var index = ArrayKeys.IndexOf(key);
        return index < _count ? Values.ValueOf((int)index, IsPerCpu ? caller.ValueCpu : 0) : 0;
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var index = ArrayKeys.IndexOf(key);
        var allCpus = IsPerCpu && caller.IsUserSpace;
        if (CheckUpdate(index, flags, allCpus) is var bad and not Errno.None)
        {
            return bad;
        }

        using var dying = new DyingValues(this, DeathPath.InPlaceUpdate);
        dying.Overwrite(Values, (int)index, value, flags, caller);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.EINVAL;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) =>
        ArrayKeys.Next(_count, key, nextKey);

    /// <inheritdoc/>
    protected override unsafe long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        // An array has no keys in memory: the index lies where a program may read it.
        var key = Core.Heap.AllocateBlock("key of an array", sizeof(uint));
        try
        {
            long visited = 0;
            for (uint index = 0, stop = 0; index < _count && stop == 0; index++)
            {
                *(uint*)key = index;
                visited++;
                stop = callback(key, Values.ValueOf((int)index, IsPerCpu ? caller.ValueCpu : 0)) != 0 ? 1u : 0;
            }

            return visited;
        }
        finally
        {
            Core.Heap.TryFree(key);
        }
    }

    private Errno CheckUpdate(uint index, MapUpdateFlags flags, bool allCpus)
    {
        var unknown = allCpus ? flags > MapUpdateFlags.Exist : (flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist;
        return unknown ? Errno.EINVAL
            : index >= _count ? Errno.E2BIG
            : (flags & MapUpdateFlags.NoExist) != 0 ? Errno.EEXIST
            : (flags & MapUpdateFlags.Lock) != 0 && Layout.LockOffset < 0 ? Errno.EINVAL
            : Errno.None;
    }
}
