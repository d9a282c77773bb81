using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Arrays whose values are things with an id that only C# can put in: programs, perf events.</summary>
/// <remarks>
/// Programs cannot read or write the values (<c>-EINVAL</c>); user space deletes by index and reads
/// ids where the type has them.
/// </remarks>
public abstract class ObjectArray : BpfMap
{
    private readonly object?[] _items;

    private protected ObjectArray(KernelCore core, MapSpec spec)
        : base(core, spec)
    {
        _items = new object?[Spec.MaxEntries];
    }

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => new(0, 0, 0);

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

    /// <summary>Exchanges an entry.</summary>
    /// <returns><see cref="Errno.E2BIG"/> past the end.</returns>
    private protected Errno Exchange(uint index, object? item, out object? old)
    {
        old = null;
        if (index >= MaxEntries)
        {
            return Errno.E2BIG;
        }

        old = Interlocked.Exchange(ref _items[index], item);
        return Errno.None;
    }

    /// <summary>Gives back what an entry had, or null, when nobody can find it there any more.</summary>
    private protected virtual void LetGo(object? old)
    {
    }

    private protected object? ItemAt(uint index) => index < MaxEntries ? Volatile.Read(ref _items[index]) : null;

    private protected void Clear() => Array.Clear(_items);

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 0;

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            flags != MapUpdateFlags.Any || !caller.IsUserSpace ? Errno.EINVAL
            : ArrayKeys.IndexOf(key) >= MaxEntries ? Errno.E2BIG : Errno.EBADF;

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        if (!caller.IsUserSpace)
        {
            return Errno.EINVAL;
        }

        var err = Exchange(ArrayKeys.IndexOf(key), null, out var old);
        LetGo(old);
        return err != Errno.None ? err : old is null ? Errno.ENOENT : Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) =>
        ArrayKeys.Next(MaxEntries, key, nextKey);
}
