using Kptr.Kfuncs;

namespace Kptr.Testing.Tests.Kinds;

/// <summary>Every fault planted in an object is found by the check that is there for it.</summary>
public class ObjectMutantTests
{
    /// <summary>The fault, and the check that must find it.</summary>
    public static TheoryData<ObjectFault, string> Faults => new()
    {
        { ObjectFault.BornWithTwo, "Birth" },
        { ObjectFault.TakesOneInWords, "Counts" },
        { ObjectFault.ReleasedByItsWork, "Alive" },
        { ObjectFault.ReleasedByItsWork, "Counts" },
        { ObjectFault.NeverFreed, "Freed" },
        { ObjectFault.WorkForgotten, "Freed" },
        { ObjectFault.NamesAHolderForEver, "DestroyOnce" },
        { ObjectFault.FreedTwice, "DestroyOnce" },
        { ObjectFault.TaskReleasedTwice, "DestroyOnce" },
        { ObjectFault.OwnsItselfUncounted, "DestroyOnce" },
        { ObjectFault.KeepsItsTask, "GivesBack" },
        { ObjectFault.ThrowsInDestructor, "NoExceptions" },
        { ObjectFault.ThrowsInWords, "NoExceptions" },
        { ObjectFault.SleepsInLastRelease, "Contexts" },
        { ObjectFault.SleepsInDestructor, "Contexts" },
        { ObjectFault.FreedAtOnce, "ReaderSafety" },
        { ObjectFault.WipedAtOnce, "ReaderSafety" },
        { ObjectFault.ThrowsInWordsOnceFreed, "OverRelease" },
        { ObjectFault.NeverFreed, "Slots" },
        { ObjectFault.NeverFreed, "Storage" },
        { ObjectFault.TaskLostWithoutMemory, "FailedBirth" },
        { ObjectFault.SharedPinRaced, "Threads" },
        { ObjectFault.WaitsForItsWork, "Ends" },
    };

    [Theory, MemberData(nameof(Faults))]
    public void Fault_IsFoundByItsCheck(ObjectFault fault, string check)
    {
        // A hang leaves its threads behind: one is enough.
        var isHang = check == "Ends";
        for (var seed = isHang ? Seeds.Count : 1; seed <= Seeds.Count; seed++)
        {
            var report = ObjectConformance.Run(
                core => new NaiveObject(core, fault), NaiveObject.Capabilities, new()
                {
                    Seed = seed, Scripts = 100, Rounds = 5, Only = [check],
                    HangAfter = TimeSpan.FromSeconds(isHang ? 1 : 60),
                });
            report.Failures.Should().NotBeEmpty($"seed {seed} finds it");
            report.Failures.Should().OnlyContain(f => f.Check.Name == check);
            report.Failures[0].Script.Should().NotBeEmpty().And.HaveCountLessThan(isHang ? 100 : 9, report.ToString());
            Reports.Show($"Object{fault}", report);
        }
    }

    [Fact]
    public void EveryFaultAndEveryCheck_IsInTheTable()
    {
        Faults.Select(row => (ObjectFault)row[0]).Distinct().Should()
            .BeEquivalentTo(Enum.GetValues<ObjectFault>().Where(f => f != ObjectFault.None));
        Faults.Select(row => (string)row[1]).Distinct().Should()
            .BeEquivalentTo(ObjectConformance.Checks.Select(c => c.Name));
    }

    [Theory]
    [InlineData(KfuncFault.None, null)]
    [InlineData(KfuncFault.PutForgets, "*Slots is broken*as before*")]
    [InlineData(KfuncFault.PutTwice, "*released once more*")]
    [InlineData(KfuncFault.PutForgetsInNmi, null)] // user space deletes in a process
    public void Slots_WithKfuncs_CallTheDestructorOnce(KfuncFault fault, string? found)
    {
        var report = ObjectConformance.Run(core => new NaiveObject(core),
            NaiveObject.Capabilities with { Kfuncs = NaiveKfuncs.With(fault) }, new() { Only = ["Slots"] });
        report.IsConformant.Should().Be(found is null, report.ToString());
        (found is null || report.Failures.Any(f => f.Check.Name == "Slots")).Should().BeTrue(report.ToString());
        report.ToString().Should().Match(found ?? "*");
    }

    [Fact]
    public void Slots_WithoutADestructor_AreBroken() =>
        ObjectConformance.Run(core => new NaiveObject(core),
            NaiveObject.Capabilities with { Kfuncs = KfuncRegistry.Builtin.With(Array.Empty<KfuncDeclaration>()) },
            new() { Only = ["Slots"] }).ToString().Should().Match("*DestructorOf*no program can keep it*");

    [Fact]
    public void Check_OfABrokenObject_ThrowsWithTheReport()
    {
        var check = () => ObjectConformance.Check(
            core => new NaiveObject(core, ObjectFault.KeepsItsTask), NaiveObject.Capabilities,
            new() { Only = ["GivesBack"], Scripts = 100 });
        check.Should().Throw<ConformanceException>().WithMessage("*GivesBack is broken*make object A*");
    }
}
