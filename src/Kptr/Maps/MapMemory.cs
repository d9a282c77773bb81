using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>How much memory a map takes, counted so that nothing overflows, before any of it is asked for.</summary>
/// <remarks>
/// Linux answers <c>-ENOMEM</c> where it has no more pages than that (<c>__vmalloc_node_range</c>, mm/vmalloc.c, 6.12);
/// so does this, before the process is in trouble. Elements that come one by one count when they come.
/// </remarks>
internal static class MapMemory
{
    private const int BucketBytes = 8;
    private const int LinkBytes = 4;

    /// <summary>Whether the machine has so many bytes at all.</summary>
    internal static bool Fits(long bytes) => bytes <= GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Whether a map's memory could be had.</summary>
    /// <param name="spec">A blueprint that <see cref="MapRules"/> has passed.</param>
    /// <param name="cpuCount">CPUs of the kernel.</param>
    internal static bool Fits(MapSpec spec, int cpuCount) =>
        IsCountable(spec, cpuCount) && Fits(BytesOf(spec, cpuCount));

    /// <summary>A product of two counts; <see cref="long.MaxValue"/> where it is larger.</summary>
    internal static long Times(long a, long b) => Math.BigMul(a, b, out var low) == 0 && low >= 0 ? low : long.MaxValue;

    // Slots are numbered with 31 bits, spare ones included.
    private static bool IsCountable(MapSpec spec, int cpuCount) =>
        spec.Type is BpfMapType.Ringbuf or BpfMapType.UserRingbuf || spec.MaxEntries <= Array.MaxLength - cpuCount;

    private static long BytesOf(MapSpec spec, int cpuCount)
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
            BpfMapType.Arena => entries * 4096,
            _ => 0,
        };
    }
}
