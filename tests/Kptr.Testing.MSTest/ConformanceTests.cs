using CustomMap;
using Kptr.Maps;
using Kptr.Testing.Tests;

namespace Kptr.Testing.MSTest;

/// <summary>The kit in MSTest: a test for each check, and a broken map whose failure names the rule.</summary>
[TestClass]
public class ConformanceTests
{
    public static IEnumerable<object[]> Checks => MapConformance.Checks.Select(c => new object[] { c.Name });

    [TestMethod, DynamicData(nameof(Checks))]
    public void SampleMap_Conforms(string check) => MapConformance.Check(
        core => new TimeWindowMap(core, "window", 4, TimeSpan.FromMilliseconds(10)),
        MapCapabilities.Hash with { CanTake = true, Batches = MapBatchOps.All },
        new() { Only = [check], Scripts = 5, Rounds = 2 });

    [TestMethod]
    public void BrokenMap_FailsWithTheRule()
    {
        var broken = Assert.ThrowsExactly<ConformanceException>(() => MapConformance.Check(
            core => new NaiveMap(core, 4, Fault.NoDestroyOnDelete), NaiveMap.CapabilitiesOf(Fault.NoDestroyOnDelete),
            new() { Scripts = 10, Rounds = 1 }));
        StringAssert.Contains(broken.Message, "DestroyOnDelete is broken", StringComparison.Ordinal);
    }
}
