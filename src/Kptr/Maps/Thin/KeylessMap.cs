using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>What maps without keys answer to operations by key.</summary>
public abstract class KeylessMap : BpfMap
{
    private protected KeylessMap(KernelCore core, MapSpec spec)
        : base(core, spec)
    {
    }

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => new(0, 0, 0);

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 0;

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        Errno.EINVAL;

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.EINVAL;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.EINVAL;
}
