using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_HASH_OF_MAPS</c>: inner maps by key.</summary>
/// <remarks>
/// Programs only look up; user space writes and reads inner maps by id. References on inner maps are given back after
/// the bucket's lock is left (b9e9ed90b10c, 2024).
/// </remarks>
public unsafe class HashOfMaps : HashMap
{
    /// <summary>Makes a hash of maps.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public HashOfMaps(KernelCore core, MapSpec spec)
        : base(core, spec, BpfMapType.HashOfMaps)
    {
    }

    /// <summary>
    /// The map under a key, or null. Use it inside an RCU reader; the outer map may let go of it at any time.
    /// </summary>
    public BpfMap? Lookup(ReadOnlySpan<byte> key) => FromAddress(Core, ProgLookup(key, Core.CurrentCpu));

    /// <summary>Puts a map under a key.</summary>
    public Errno Set(ReadOnlySpan<byte> key, BpfMap inner, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        InnerMaps.CheckKernel(this, inner);
        return UpdateElem(key, BitConverter.GetBytes(inner.Id), flags);
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        InnerMaps.Peek(base.FindValue(key, caller));

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var inner = FromAddress(Core, FindValue(key, caller));
        if (inner is null)
        {
            return Errno.ENOENT;
        }

        BinaryPrimitives.WriteInt32LittleEndian(value, inner.Id);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (!caller.IsUserSpace || flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var err = InnerMaps.TryHold(this, BinaryPrimitives.ReadInt32LittleEndian(value), out var inner);
        if (err != Errno.None)
        {
            return err;
        }

        err = Errno.ENOMEM;
        try
        {
            var address = inner.Address;
            err = base.UpdateValue(key, new(&address, sizeof(ulong)), flags, caller);
            return err;
        }
        finally
        {
            if (err != Errno.None)
            {
                inner.Put();
            }
        }
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        caller.IsUserSpace ? base.DeleteValue(key, caller) : Errno.EINVAL;

    /// <inheritdoc/>
    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        Errno.ENOTSUPP;

    /// <inheritdoc/>
    protected override long VisitValues(MapElemCallback callback, in MapCall caller) => (long)Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    private protected override void FillElem(int elem, ReadOnlySpan<byte> value, in MapCall caller) =>
        Volatile.Write(ref *(ulong*)Pool.ValueOf(elem), BinaryPrimitives.ReadUInt64LittleEndian(value));

    /// <inheritdoc/>
    private protected override void CopyForBatch(int elem, Span<byte> value, MapUpdateFlags flags) =>
        BinaryPrimitives.WriteInt32LittleEndian(value, FromAddress(Core, InnerMaps.Peek(Pool.ValueOf(elem)))?.Id ?? 0);
}
