namespace Kptr.Testing.Tests.Kinds;

/// <summary>Every fault planted in a kfunc is found by the check that is there for it.</summary>
public class KfuncMutantTests
{
    /// <summary>The fault, and the check that must find it.</summary>
    public static TheoryData<KfuncFault, string> Faults => new()
    {
        { KfuncFault.AcquireOnVoid, "Flags" },
        { KfuncFault.ReleaseOfNumber, "Flags" },
        { KfuncFault.GetUncounted, "Acquire" },
        { KfuncFault.GetTwice, "Acquire" },
        { KfuncFault.OpenKeepsOne, "Acquire" },
        { KfuncFault.OwnerUncounted, "Acquire" },
        { KfuncFault.PutForgets, "Release" },
        { KfuncFault.PutTwice, "Release" },
        { KfuncFault.CookieTakes, "Balanced" },
        { KfuncFault.CookieGives, "Balanced" },
        { KfuncFault.CookieGivesTheOwners, "Balanced" },
        { KfuncFault.NullWithoutFlag, "RetNull" },
        { KfuncFault.OpenWithoutFlag, "RetNull" },
        { KfuncFault.GetRevives, "GoneIsNull" },
        { KfuncFault.CookieFollowsTheDead, "GoneIsNull" },
        { KfuncFault.GetOfUntrusted, "Trusted" },
        { KfuncFault.CookieSleeps, "Sleeps" },
        { KfuncFault.PutSleeps, "Destructor" },
        { KfuncFault.DestructorWithoutRelease, "Destructor" },
        { KfuncFault.PutForgetsInNmi, "Destructor" },
        { KfuncFault.PutForgets, "Destructor" },
        { KfuncFault.PutTwice, "Destructor" },
        { KfuncFault.PutWaits, "Destructor" },
        { KfuncFault.CloneFailsHalfWay, "FailedMovesNothing" },
        { KfuncFault.TwoFailHalfWay, "FailedMovesNothing" },
        { KfuncFault.OpenLeavesOne, "Conservation" },
        { KfuncFault.CookieThrows, "NoExceptions" },
        { KfuncFault.GetRaced, "Threads" },
        { KfuncFault.DecidesTwice, "Threads" },
        { KfuncFault.GetOfDyingWithoutFlag, "RetNull" },
        { KfuncFault.FollowsTheExited, "NoExceptions" },
        { KfuncFault.ErrorBehindSize, "Memory" },
        { KfuncFault.WaitsForEver, "Ends" },
    };

    [Theory, MemberData(nameof(Faults))]
    public void Fault_IsFoundByItsCheck(KfuncFault fault, string check)
    {
        // A hang leaves its threads behind: one is enough.
        var isHang = check == "Ends";
        for (var seed = isHang ? Seeds.Count : 1; seed <= Seeds.Count; seed++)
        {
            var report = KfuncConformance.Run(NaiveKfuncs.With(fault), NaiveKfuncs.Capabilities, new()
            {
                Seed = seed, Scripts = 100, Rounds = 10, Only = [check],
                HangAfter = TimeSpan.FromSeconds(isHang ? 1 : 60),
            });
            report.Failures.Should().NotBeEmpty($"seed {seed} finds it: {report}");
            report.Failures.Should().OnlyContain(f => f.Check.Name == check);
            report.Failures[0].Script.Should().NotBeEmpty().And.HaveCountLessThan(isHang ? 100 : 9, report.ToString());
            Reports.Show($"Kfunc{fault}", report);
        }
    }

    [Fact]
    public void EveryFaultAndEveryCheck_IsInTheTable()
    {
        Faults.Select(row => (KfuncFault)row[0]).Distinct().Should()
            .BeEquivalentTo(Enum.GetValues<KfuncFault>().Where(f => f != KfuncFault.None));
        Faults.Select(row => (string)row[1]).Distinct().Should()
            .BeEquivalentTo(KfuncConformance.Checks.Select(c => c.Name));
    }

    [Fact]
    public void Check_OfABrokenKfunc_ThrowsWithTheReport()
    {
        var check = () => KfuncConformance.Check(
            NaiveKfuncs.With(KfuncFault.GetUncounted), NaiveKfuncs.Capabilities, new() { Only = ["Acquire"] });
        check.Should().Throw<ConformanceException>()
            .WithMessage("*Acquire is broken*moves by 1*by 0*make a naive*call naive_get*");
    }

    [Theory]
    [InlineData("naive_opne")]
    [InlineData("bpf_nothing")]
    public void Kfunc_ThatTheKernelHasNot_IsRefused(string name)
    {
        var run = () => KfuncConformance.Run(
            NaiveKfuncs.With(KfuncFault.None), NaiveKfuncs.Capabilities with { Kfuncs = [name] });
        run.Should().Throw<ArgumentException>().WithMessage($"*\"{name}\"*");
    }

    [Fact]
    public void TwoDestructorsOfOneStruct_AreRefusedByName()
    {
        var run = () => KfuncConformance.Run(NaiveKfuncs.WithSecondDestructor(), NaiveKfuncs.Capabilities);
        run.Should().Throw<ArgumentException>().WithMessage("*naive_put*naive_drop*destructor of struct naive*");
    }

    [Fact]
    public void Kfuncs_ThatKeepWhatTheyTake_AreSoundWhereTheySaySo()
    {
        var can = NaiveKfuncs.Capabilities with { Keeping = ["naive_push", "naive_pop"], Numbers = [42] };
        var options = new ConformanceOptions { Scripts = 100, Rounds = 1 };
        KfuncConformance.Check(NaiveKfuncs.WithQueue(), can, options);
        KfuncConformance.Run(NaiveKfuncs.WithQueue(), can with { Keeping = [] }, options).Failures
            .Should().Contain(f => f.Check.Name == "Release");
    }

    [Fact]
    public void Kfuncs_ThatCannotBeTried_AreNamedWithTheReason()
    {
        var report = KfuncConformance.Run(Kfuncs.KfuncRegistry.Builtin, new()
        {
            Kfuncs = ["bpf_iter_num_new", "bpf_task_acquire", "bpf_dynptr_size"],
        }, new() { Scripts = 5, Rounds = 1 });
        report.IsConformant.Should().BeTrue(report.ToString());
        report.Untried.Should().Contain(u => u.StartsWith("bpf_iter_num_new: ", StringComparison.Ordinal))
            .And.Contain(u => u.StartsWith("bpf_dynptr_size: ", StringComparison.Ordinal))
            .And.NotContain(u => u.StartsWith("bpf_task_acquire", StringComparison.Ordinal));
        report.ToString().Should().Contain("not tried: bpf_iter_num_new");
    }
}
