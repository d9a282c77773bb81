using CustomMap;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests;

/// <summary>Correct maps raise no alarm, whatever the seed.</summary>
public class SoundMapTests
{
    private static readonly Dictionary<string, (Func<KernelCore, BpfMap> Make, MapCapabilities Can)> Maps = new()
    {
        ["naive"] = (core => new NaiveMap(core, 4), NaiveMap.CapabilitiesOf(Fault.None)),
        ["sample"] = (
            core => new TimeWindowMap(core, "window", 4, TimeSpan.FromMilliseconds(10)), MapCapabilities.Hash),
        ["array"] = (core => new ArrayMap<NaiveValue>(core, 4),
            MapCapabilities.Array with { Batches = MapBatchOps.Lookup | MapBatchOps.Update }),
        ["hash"] = (
            core => new HashMap<int, NaiveValue>(core, 4), WithBatches(MapCapabilities.Hash)),
        ["hash without preallocation"] = (
            core => new HashMap<int, NaiveValue>(core, 4, flags: MapFlags.NoPrealloc),
            WithBatches(MapCapabilities.Hash) with { IsCapacityExact = false }),
        ["hash of several kptrs"] = (
            core => new HashMap<int, MixedValue>(core, 4), WithBatches(MapCapabilities.Hash)),
        ["LRU hash"] = (
            core => new LruHashMap<int, NaiveValue>(core, 4), WithBatches(MapCapabilities.Lru)),
        ["per-CPU array"] = (core => new ArrayMap(core, Spec(core, BpfMapType.PercpuArray)),
            MapCapabilities.Array with { Batches = MapBatchOps.Lookup | MapBatchOps.Update }),
        ["per-CPU hash"] = (
            core => new PercpuHashMap(core, Spec(core, BpfMapType.PercpuHash)), WithBatches(MapCapabilities.Hash)),
        ["per-CPU LRU hash"] = (
            core => new LruHashMap(core, Spec(core, BpfMapType.LruPercpuHash)), WithBatches(MapCapabilities.Lru)),
    };

    private static MapSpec Spec(KernelCore core, BpfMapType type) =>
        StructSpec.Of<int, MaskValue>(core, "percpu", type, 4);

    private static MapCapabilities WithBatches(MapCapabilities of) =>
        of with { CanTake = true, Batches = MapBatchOps.All };

    public static TheoryData<string> Names => [.. Maps.Keys];

    [Theory, MemberData(nameof(Names))]
    public void SoundMap_RaisesNoAlarm(string name)
    {
        var (make, can) = Maps[name];
        for (var seed = 1; seed <= Seeds.Count; seed++)
        {
            var report = MapConformance.Check(make, can, new() { Seed = seed, Scripts = 100, Rounds = 10 });
            report.Passed.Count.Should().BeGreaterThan(10, report.ToString());
        }
    }
}
