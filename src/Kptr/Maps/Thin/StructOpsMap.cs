using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_STRUCT_OPS</c>: one struct of operations that programs implement.</summary>
/// <remarks>
/// Holds the struct's data members and whether it is registered. Calling the operations is not done here, members are
/// not checked by the kernel type's own code, and links to it are the model's business.
/// </remarks>
public sealed class StructOpsMap : BpfMap
{
    private readonly ValuePool _value;
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private int _isRegistered;

    /// <summary>Makes the map.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public StructOpsMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.StructOps))
    {
        _value = CreatePool(1, 0, PoolKind.AllLive);
        if (!Spec.InitialValue.IsDefaultOrEmpty)
        {
            CopyIn(_value.AddressOf(0), Spec.InitialValue.AsSpan());
        }
    }

    /// <summary>Whether the struct is registered.</summary>
    public bool IsRegistered => Volatile.Read(ref _isRegistered) != 0;

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => new(1, 1, 0);

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        key.Clear();
        return true;
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        caller.IsUserSpace && ArrayKeys.IndexOf(key) == 0 ? _value.ValueOf(0) : 0;

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags != MapUpdateFlags.Any || !caller.IsUserSpace)
        {
            return Errno.EINVAL;
        }

        if (ArrayKeys.IndexOf(key) != 0)
        {
            return Errno.E2BIG;
        }

        using (_lock.Enter())
        {
            if (_isRegistered != 0)
            {
                return Errno.EBUSY;
            }

            // Whoever sees it registered sees the whole struct.
            CopyIn(_value.ValueOf(0), value);
            Volatile.Write(ref _isRegistered, 1);
            return Errno.None;
        }
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        !caller.IsUserSpace ? Errno.EINVAL
            : Interlocked.Exchange(ref _isRegistered, 0) == 0 ? Errno.ENOENT
            : Errno.None;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => ArrayKeys.Next(1, key, nextKey);
}
