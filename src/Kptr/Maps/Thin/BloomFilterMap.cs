using System.Numerics;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_BLOOM_FILTER</c>: tells whether a value was perhaps pushed.</summary>
/// <remarks>
/// Same size and number of hashes as Linux; the hashes themselves differ, and so do the false positives. Kernel:
/// <c>bloom_filter.c</c> (6.12).
/// </remarks>
public sealed class BloomFilterMap : KeylessMap
{
    private readonly long[] _bits;
    private readonly uint _mask;
    private readonly int _hashCount;

    /// <summary>Makes a filter.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public BloomFilterMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.BloomFilter))
    {
        _hashCount = HashCountOf(Spec);
        _mask = MaskOf(Spec);
        _bits = new long[BytesOf(Spec) / sizeof(long)];
    }

    /// <summary>What the bits of a filter take.</summary>
    internal static long BytesOf(MapSpec spec) => ((long)MaskOf(spec) + 1) / 8;

    private static int HashCountOf(MapSpec spec) => spec.MapExtra == 0 ? 5 : (int)spec.MapExtra;

    private static uint MaskOf(MapSpec spec)
    {
        var wanted = (ulong)spec.MaxEntries * (ulong)HashCountOf(spec) / 5 * 7;
        return wanted > 1UL << 31 ? uint.MaxValue : BitOperations.RoundUpToPowerOf2((uint)Math.Max(64, wanted)) - 1;
    }

    /// <inheritdoc/>
    private protected override Errno UserRead(ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags) =>
        PeekValue(value);

    /// <inheritdoc/>
    private protected override Errno UserUpdate(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags) =>
        PushValue(value, flags);

    /// <inheritdoc/>
    private protected override Errno UserDelete(ReadOnlySpan<byte> key) => Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    protected override Errno PushValue(ReadOnlySpan<byte> value, MapUpdateFlags flags)
    {
        if (flags != MapUpdateFlags.Any)
        {
            return Errno.EINVAL;
        }

        for (var i = 0; i < _hashCount; i++)
        {
            var bit = HashOf(value, i);
            Interlocked.Or(ref _bits[bit / 64], 1L << (int)(bit % 64));
        }

        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno PeekValue(Span<byte> value)
    {
        for (var i = 0; i < _hashCount; i++)
        {
            var bit = HashOf(value, i);
            if ((Volatile.Read(ref _bits[bit / 64]) & (1L << (int)(bit % 64))) == 0)
            {
                return Errno.ENOENT;
            }
        }

        return Errno.None;
    }

    private uint HashOf(ReadOnlySpan<byte> value, int seed)
    {
        var hash = 0xcbf29ce484222325UL ^ ((ulong)seed * 0x9E3779B97F4A7C15);
        foreach (var b in value[..ValueSize])
        {
            hash = (hash ^ b) * 0x100000001b3;
        }

        return (uint)((hash ^ (hash >> 29)) >> 8) & _mask;
    }
}
