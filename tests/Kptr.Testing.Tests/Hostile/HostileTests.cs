using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Hostile;

/// <summary>The kit finds what well-meaning authors do, and nothing in a map that does none of it.</summary>
public class HostileTests
{
    /// <summary>The fault, and the check that must find it.</summary>
    public static TheoryData<HostileFault, string> Faults => new()
    {
        { HostileFault.LeavesTimersRunning, "Table" },
        { HostileFault.BusyInCallback, "Table" },
        { HostileFault.ComparesEndsOfKeys, "StaleKeys" },
        { HostileFault.SharesItsCursor, "Iteration" },
        { HostileFault.FillsHoles, "Iteration" },
        { HostileFault.CountsTaken, "Errnos" },
        { HostileFault.SkipsEqualUpdates, "DestroyOnOverwrite" },
        { HostileFault.TakesUnderReaders, "ReaderSafety" },
        { HostileFault.ReplacesUnderReaders, "ReaderSafety" },
        { HostileFault.VisitsToTheEnd, "Iteration" },
        { HostileFault.DeletesAfterVisit, "Iteration" },
        { HostileFault.NamesAnotherKey, "Conservation" },
        { HostileFault.CensusOfBirth, "Census" },
        { HostileFault.PutsOffInNmi, "Contents" },
        { HostileFault.UsesCurrentCpu, "SlotsApart" },
        { HostileFault.ZeroesAll, "DestroyAtMapFree" },
        { HostileFault.LeavesReaderOpen, "Ends" },
        { HostileFault.DestroysLaterUnderLock, "Unlocked" },
        { HostileFault.TakesOneMore, "Errnos" },
    };

    [Theory, MemberData(nameof(Faults))]
    public void Fault_IsFoundByItsCheck(HostileFault fault, string check)
    {
        // A hang leaves its threads behind, and the table of answers is the same for each seed: one is enough.
        var isOnce = check is "Ends" or "Unlocked" or "Table";
        for (var seed = isOnce ? Seeds.Count : 1; seed <= Seeds.Count; seed++)
        {
            var report = Run(fault, new()
            {
                Seed = seed, Scripts = 400, Only = [check], HangAfter = TimeSpan.FromSeconds(2),
            });
            report.Failures.Should().NotBeEmpty($"seed {seed} finds it");
            report.Failures.Should().OnlyContain(f => f.Check.Name == check);
            Reports.Show($"{fault}", report);
        }
    }

    [Theory]
    [InlineData(HostileFault.None, GracePeriods.None)]
    [InlineData(HostileFault.None, GracePeriods.Both)]
    [InlineData(HostileFault.UsesCurrentCpu, GracePeriods.None)]
    public void WithoutFaults_ThereIsNoAlarm(HostileFault percpu, GracePeriods keptFor)
    {
        for (var seed = 1; seed <= Seeds.SoundCount; seed++)
        {
            var report = MapConformance.Run(
                core => SpecOf(core, percpu), (core, spec) => new HostileMap(core, spec, HostileFault.None, keptFor),
                HostileMap.Can with { KeptFor = keptFor },
                new() { Seed = seed, Scripts = 200, Rounds = 10, CellsOneIn = 10 });
            report.IsConformant.Should().BeTrue(report.ToString());
        }
    }

    [Fact]
    public void EveryFault_IsInTheTable() => Faults.Select(row => (HostileFault)row[0]).Should()
        .BeEquivalentTo(Enum.GetValues<HostileFault>().Where(f => f != HostileFault.None));

    private static ConformanceReport Run(HostileFault fault, ConformanceOptions options)
    {
        var keptFor = fault is HostileFault.TakesUnderReaders or HostileFault.ReplacesUnderReaders
            ? GracePeriods.Both : GracePeriods.None;
        return MapConformance.Run(
            core => SpecOf(core, fault), (core, spec) => new HostileMap(core, spec, fault, keptFor),
            HostileMap.Can with { KeptFor = keptFor }, options);
    }

    private static MapSpec SpecOf(Objects.KernelCore core, HostileFault fault) => fault == HostileFault.UsesCurrentCpu
        ? StructSpec.Of<int, MaskValue>(core, "hostile", BpfMapType.PercpuHash, 4)
        : StructSpec.Of<int, NaiveValue>(core, "hostile", BpfMapType.Hash, 4);
}
