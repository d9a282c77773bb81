using Kptr.Specs;

namespace Kptr.Testing.Tests.History;

/// <summary>The kit finds what is wrong with a map unlike any that it was made for.</summary>
public class ProbeMapTests
{
    /// <summary>The fault, and a check that finds it.</summary>
    public static TheoryData<ProbeFault, string> Faults => new()
    {
        { ProbeFault.ProbeEndsAtTombstone, "Contents" },
        { ProbeFault.TombstoneTakenTooSoon, "Contents" },
        { ProbeFault.TombstonesNeverReused, "Errnos" },
        { ProbeFault.NoWrapAround, "Threads" },
        { ProbeFault.TableFullNotSeen, "Errnos" },
        { ProbeFault.ShiftForgetsWrap, "Threads" },
        { ProbeFault.ValuesMoveOnGrow, "DestroyOnDelete" },
        { ProbeFault.CellReadTwice, "Threads" },
        { ProbeFault.MissCached, "Contents" },
        { ProbeFault.ResizedUnderLookup, "Threads" },
        { ProbeFault.OverwriteIsDeleteThenInsert, "Threads" },
        { ProbeFault.EndsAnotherSlot, "DestroyOnDelete" },
        { ProbeFault.CountsTombstones, "Errnos" },
        { ProbeFault.WalkEndsAtTombstone, "Iteration" },
    };

    [Theory, MemberData(nameof(Faults))]
    public void Fault_IsFound(ProbeFault fault, string check)
    {
        var report = Run(fault, new()
        {
            Only = [check], Rounds = 200, Policies = [DestroyBehavior.Eager],
        });
        report.Failures.Should().NotBeEmpty();
        report.Failures.Should().OnlyContain(f => f.Check.Name == check);
        Reports.Show($"probe {fault}", report);
    }

    [Fact]
    public void MapWithoutAFault_IsConformant()
    {
        for (var seed = 1; seed <= Seeds.Count; seed++)
        {
            var report = Run(ProbeFault.None, Seeds.Sound(seed));
            report.IsConformant.Should().BeTrue(report.ToString());
        }
    }

    [Fact]
    public void EveryFault_IsInTheTable() =>
        Faults.Select(row => (ProbeFault)row[0]).Append(ProbeFault.None).Should()
            .BeEquivalentTo(Enum.GetValues<ProbeFault>());

    private static ConformanceReport Run(ProbeFault fault, ConformanceOptions options) =>
        MapConformance.Run(core => new ProbeMap(core, 4, fault), ProbeMap.Capabilities, options);
}
