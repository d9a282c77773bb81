using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Programs;

/// <summary>A map that throws where it should answer with an errno, or when it ends.</summary>
internal sealed class ThrowingMap(KernelCore core, MapSpec spec, bool isEnd = false) : BpfMap(core, spec)
{
    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 0;

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        isEnd ? Errno.E2BIG : throw new InvalidOperationException("nothing is ever taken in");

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.ENOENT;

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (isEnd)
        {
            throw new InvalidOperationException("nothing ever ends");
        }
    }
}

/// <summary>A map of few elements, none of which is ever deleted, and whose end is forgotten.</summary>
internal sealed class NeverFreedMap : BpfMap
{
    private readonly ValuePool _pool;
    private readonly List<int> _keys = [];

    internal NeverFreedMap(KernelCore core, MapSpec spec)
        : base(core, spec) => _pool = CreatePool((int)spec.MaxEntries);

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) =>
        slot < _keys.Count && BitConverter.TryWriteBytes(key, _keys[slot]);

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        _keys.IndexOf(BitConverter.ToInt32(key)) is var slot and >= 0 ? _pool.AddressOf(slot) : 0;

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (FindValue(key, caller) != 0)
        {
            return Errno.EEXIST;
        }

        if (!_pool.TryTake(out var slot))
        {
            return Errno.E2BIG;
        }

        InitValue(_pool, slot, value, caller);
        slot.Should().Be(_keys.Count, "slots are taken in order and none comes back");
        _keys.Add(BitConverter.ToInt32(key));
        return Errno.None;
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.EPERM;

#pragma warning disable CA2215 // the fault that is meant
    protected override void Dispose(bool disposing)
#pragma warning restore CA2215
    {
    }
}
