using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_ARRAY_OF_MAPS</c>: inner maps by index.</summary>
/// <remarks>Programs only look up; user space writes and reads inner maps by id.</remarks>
public sealed class ArrayOfMaps : BpfMap
{
    private readonly ValuePool _slots;

    /// <summary>Makes an array of maps.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public ArrayOfMaps(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.ArrayOfMaps))
    {
        _slots = CreatePool((int)spec.MaxEntries, 0, PoolKind.AllLive);
    }

    /// <inheritdoc/>
    protected override MapBatchOps BatchOps => MapBatchOps.Lookup | MapBatchOps.Update;

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => new(_slots.SlotCount, _slots.SlotCount, 0);

    /// <summary>Makes an array of maps.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="maxEntries">Number of places.</param>
    /// <param name="inner">What the maps in it are like.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public ArrayOfMaps(KernelCore core, uint maxEntries, MapSpec inner, string name = "array_of_maps")
        : this(core, InnerMaps.SpecOf<int>(core, BpfMapType.ArrayOfMaps, name, maxEntries, inner))
    {
    }

    /// <summary>
    /// The map in a place, or null. Use it inside an RCU reader; the array may let go of it at any time.
    /// </summary>
    public BpfMap? Lookup(uint index) => FromAddress(Core, ProgLookup(BitConverter.GetBytes(index), Core.CurrentCpu));

    /// <summary>Puts a map into the array.</summary>
    public Errno Set(uint index, BpfMap inner)
    {
        InnerMaps.CheckKernel(this, inner);
        return UpdateElem(BitConverter.GetBytes(index), BitConverter.GetBytes(inner.Id));
    }

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        BinaryPrimitives.WriteInt32LittleEndian(key, slot);
        return true;
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => InnerMaps.Peek(SlotOf(key));

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var inner = FromAddress(Core, InnerMaps.Peek(SlotOf(key)));
        if (inner is null)
        {
            return Errno.ENOENT;
        }

        BinaryPrimitives.WriteInt32LittleEndian(value, inner.Id);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override unsafe Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (!caller.IsUserSpace || flags != MapUpdateFlags.Any)
        {
            return Errno.EINVAL;
        }

        var slot = SlotOf(key);
        if (slot == 0)
        {
            return Errno.E2BIG;
        }

        var err = InnerMaps.TryHold(this, BinaryPrimitives.ReadInt32LittleEndian(value), out var inner);
        if (err != Errno.None)
        {
            return err;
        }

        var old = Interlocked.Exchange(ref *(ulong*)slot, inner.Address);
        if (old != 0)
        {
            InnerMaps.Drop(this, old, needsDefer: true);
        }

        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var slot = SlotOf(key);
        if (!caller.IsUserSpace || slot == 0)
        {
            return caller.IsUserSpace ? Errno.E2BIG : Errno.EINVAL;
        }

        var old = InnerMaps.TakeOut(slot);
        if (old == 0)
        {
            return Errno.ENOENT;
        }

        InnerMaps.Drop(this, old, needsDefer: true);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) =>
        ArrayKeys.Next(MaxEntries, key, nextKey);

    private ulong SlotOf(ReadOnlySpan<byte> key)
    {
        var index = BinaryPrimitives.ReadUInt32LittleEndian(key);
        return index < MaxEntries ? _slots.ValueOf((int)index) : 0;
    }
}
