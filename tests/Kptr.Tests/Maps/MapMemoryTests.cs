using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>What a map takes is what its kernel was charged before.</summary>
public class MapMemoryTests
{
    private const int SlackBytes = 64 * 1024;

    [Theory]
    [InlineData(BpfMapType.BloomFilter, 200_000, 0)]
    [InlineData(BpfMapType.BloomFilter, 100_000, 15)]
    [InlineData(BpfMapType.BloomFilter, 150_000, 9)]
    [InlineData(BpfMapType.Array, 100_000, 0)]
    [InlineData(BpfMapType.Queue, 100_000, 0)]
    [InlineData(BpfMapType.Hash, 100_000, 0)]
    [InlineData(BpfMapType.LruHash, 100_000, 0)]
    [InlineData(BpfMapType.PercpuHash, 100_000, 0)]
    [InlineData(BpfMapType.ProgArray, 100_000, 0)]
    [InlineData(BpfMapType.Arena, 100_000, 0)]
    public void Map_OfAnyType_AllocatesNoMoreThanIsCharged(BpfMapType type, int maxEntries, int mapExtra)
    {
        using var core = new KernelCore(TestKernel.Spec, new() { Driver = DeferredDriver.Manual });
        var isKeyless = type is BpfMapType.BloomFilter or BpfMapType.Queue or BpfMapType.Arena;
        var spec = new MapSpec("m", type)
        {
            KeySize = isKeyless ? 0 : 4,
            ValueSize = type == BpfMapType.Arena ? 0 : 4,
            MaxEntries = (uint)maxEntries,
            MapExtra = (ulong)mapExtra,
            Flags = type == BpfMapType.Arena ? MapFlags.Mmapable : MapFlags.None,
        };

        var before = GC.GetAllocatedBytesForCurrentThread();
        using var map = MapFactory.Create(core, spec);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        allocated.Should().BeLessThanOrEqualTo(MapMemory.BytesOf(spec, core.CpuCount) + SlackBytes);
    }
}
