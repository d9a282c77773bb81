using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>How much memory a map takes, counted so that nothing overflows, before any of it is asked for.</summary>
/// <remarks>
/// Linux answers <c>-ENOMEM</c> where it has no more pages than that (<c>__vmalloc_node_range</c>, mm/vmalloc.c, 6.12);
/// so does the kernel that a map is charged to, before the process is in trouble. Elements and pages that come one by
/// one are not counted.
/// </remarks>
internal static class MapMemory
{
    private const int BucketBytes = 8;
    private const int LinkBytes = 4;

    /// <summary>A product of two counts; <see cref="long.MaxValue"/> where it is larger.</summary>
    internal static long Times(long a, long b) => Math.BigMul(a, b, out var low) == 0 && low >= 0 ? low : long.MaxValue;

    /// <summary>Whether the slots can be numbered: with 31 bits, spare ones included.</summary>
    internal static bool IsCountable(MapSpec spec, int cpuCount) => spec.MaxEntries <= Array.MaxLength - cpuCount
        || spec.Type is BpfMapType.Ringbuf or BpfMapType.UserRingbuf or BpfMapType.BloomFilter or BpfMapType.LpmTrie
            or BpfMapType.Sockmap or BpfMapType.Sockhash;

    /// <summary>What a map of ours takes from the start.</summary>
    /// <param name="spec">A blueprint that <see cref="MapRules"/> has passed.</param>
    /// <param name="cpuCount">CPUs of the kernel.</param>
    internal static long BytesOf(MapSpec spec, int cpuCount)
    {
        long entries = spec.MaxEntries;
        var value = (long)ValueLayout.RoundUp8(spec.ValueSize);
        var prefix = HashTable.PrefixBytesOf(spec.KeySize);
        var isElastic = (spec.Flags & MapFlags.NoPrealloc) != 0;
        return spec.Type switch
        {
            BpfMapType.Array or BpfMapType.ArrayOfMaps or BpfMapType.Queue or BpfMapType.Stack => Times(entries, value),
            BpfMapType.PercpuArray => Times(entries, value * cpuCount),
            BpfMapType.ProgArray or BpfMapType.PerfEventArray or BpfMapType.CgroupArray => Times(entries, IntPtr.Size),
            BpfMapType.Hash or BpfMapType.HashOfMaps or BpfMapType.LruHash =>
                Times(entries + cpuCount, BucketBytes + (isElastic ? 0 : prefix + value + LinkBytes)),
            BpfMapType.PercpuHash or BpfMapType.LruPercpuHash =>
                Times(entries + cpuCount, BucketBytes + (isElastic ? 0 : prefix + (value * cpuCount) + LinkBytes)),
            BpfMapType.Ringbuf => 2 * entries,
            BpfMapType.BloomFilter => BloomFilterMap.BytesOf(spec),
            BpfMapType.Arena => entries * (sizeof(ulong) + sizeof(bool)),
            _ => 0,
        };
    }
}
