using Kptr.Testing.Tests.Forms;

namespace Kptr.Testing.Tests;

/// <summary>Every planted fault is found, by the check that is there for it; without one nothing is.</summary>
public class MutantTests
{
    /// <summary>The fault, and the check that must find it.</summary>
    public static TheoryData<Fault, string> Faults => new()
    {
        { Fault.NoDestroyOnOverwrite, "DestroyOnOverwrite" },
        { Fault.NoDestroyOnDelete, "DestroyOnDelete" },
        { Fault.NoDestroyAtMapFree, "DestroyAtMapFree" },
        { Fault.NeverFreed, "DestroyAtMapFree" },
        { Fault.DestroyedTwice, "DestroyOnce" },
        { Fault.ReleasedByHand, "Destructors" },
        { Fault.DestructorCalledTwice, "Destructors" },
        { Fault.SlotReturnedTwice, "SlotsApart" },
        { Fault.PoolSlotReturnedTwice, "SlotsApart" },
        { Fault.SlotLost, "Census" },
        { Fault.StaleKey, "StaleKeys" },
        { Fault.FreedUnderReader, "ReaderSafety" },
        { Fault.FreedUnderSleepingReader, "ReaderSafety" },
        { Fault.CountRaced, "Threads" },
        { Fault.FlagTestedOutsideLock, "Threads" },
        { Fault.LateWrite, "LateWrites" },
        { Fault.WrongErrno, "Errnos" },
        { Fault.UnknownFlagsTaken, "Errnos" },
        { Fault.ShowsSpecials, "Opaque" },
        { Fault.WritesSpecials, "Opaque" },
        { Fault.EntryLostOnFull, "FailedMovesNothing" },
        { Fault.WrittenBeforeRefused, "FailedMovesNothing" },
        { Fault.WalkSkipsAKey, "Iteration" },
        { Fault.HalfWritten, "Contents" },
        { Fault.EntryLostOnFlip, "Contents" },
        { Fault.ThrowsWhenFull, "NoExceptions" },
        { Fault.LockOrderTurned, "Ends" },
        { Fault.WakeLost, "Ends" },
        { Fault.DestroyedUnderLock, "Unlocked" },
        { Fault.NoDestroyAtMapFree, "Conservation" },
        { Fault.NeverFreed, "FreeDuringUse" },
        { Fault.DiesWithLastUser, "Table" },
    };

    [Theory, MemberData(nameof(Faults))]
    public void Fault_IsFoundByItsCheck(Fault fault, string check)
    {
        // A hang leaves its threads behind, and the table of answers is the same for each seed: one is enough.
        var isHang = check is "Ends" or "Unlocked";
        for (var seed = isHang || check == "Table" ? Seeds.Count : 1; seed <= Seeds.Count; seed++)
        {
            Try(fault, check, new()
            {
                Seed = seed,
                Scripts = 400,
                Only = [check],
                HangAfter = TimeSpan.FromSeconds(isHang ? 1 : 60),
            });
        }
    }

    private static void Try(Fault fault, string check, ConformanceOptions options)
    {
        var report = MapConformance.Run(
            core => new NaiveMap(core, 4, fault), NaiveMap.CapabilitiesOf(fault), options);
        report.Failures.Should().NotBeEmpty($"seed {options.Seed} finds it");
        report.Failures.Should().OnlyContain(f => f.Check.Name == check);
        report.Failures[0].Script.Should().NotBeEmpty();
        if (check != "Ends")
        {
            // What hangs is not tried again with fewer steps.
            report.Failures[0].Script.Should().HaveCountLessThan(12, report.ToString());
        }

        Reports.Show($"{fault}", report);
    }

    [Fact]
    public void EveryFaultAndEveryCheck_IsInTheTable()
    {
        Faults.Select(row => (Fault)row[0]).Distinct().Should()
            .BeEquivalentTo(Enum.GetValues<Fault>().Where(f => f != Fault.None));

        // Those of other forms of maps are planted in Forms.
        Faults.Select(row => (string)row[1]).Concat(FormTests.Queues.Select(row => (string)row[2]))
            .Concat(FormTests.Storages.Select(row => (string)row[1])).Distinct().Should()
            .BeEquivalentTo(MapConformance.Checks.Select(c => c.Name));
    }

    [Fact]
    public void Check_OfABrokenMap_ThrowsWithTheReport()
    {
        var check = () => MapConformance.Check(
            core => new NaiveMap(core, 4, Fault.NoDestroyOnDelete), NaiveMap.CapabilitiesOf(Fault.None),
            new() { Only = ["DestroyOnDelete"], Scripts = 100 });
        check.Should().Throw<ConformanceException>().WithMessage("*DestroyOnDelete is broken*store task*delet*");
    }
}
