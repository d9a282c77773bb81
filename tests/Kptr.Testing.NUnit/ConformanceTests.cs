using CustomMap;
using Kptr.Maps;
using Kptr.Testing.Tests;
using NUnit.Framework;

namespace Kptr.Testing.NUnit;

/// <summary>The kit in NUnit: a test for each check, and a broken map whose failure names the rule.</summary>
public class ConformanceTests
{
    public static IEnumerable<string> Checks => MapConformance.Checks.Select(c => c.Name);

    [TestCaseSource(nameof(Checks))]
    public void SampleMap_Conforms(string check) => MapConformance.Check(
        core => new TimeWindowMap(core, "window", 4, TimeSpan.FromMilliseconds(10)),
        MapCapabilities.Hash with { CanTake = true, Batches = MapBatchOps.All },
        new() { Only = [check], Scripts = 5, Rounds = 2 });

    [Test]
    public void BrokenMap_FailsWithTheRule() => Assert.That(
        () => MapConformance.Check(
            core => new NaiveMap(core, 4, Fault.NoDestroyOnDelete), NaiveMap.CapabilitiesOf(Fault.NoDestroyOnDelete),
            new() { Scripts = 10, Rounds = 1 }),
        Throws.TypeOf<ConformanceException>().With.Message.Contains("DestroyOnDelete is broken"));
}
