namespace Kptr.Testing.Tests.Schedules;

/// <summary>Classic faults are found, by their schedule; what is right passes.</summary>
public class ExploreTests
{
    /// <summary>The ways to publish an entry.</summary>
    public static TheoryData<Racy.PublishedBy> Ways { get; } = [.. Enum.GetValues<Racy.PublishedBy>()];

    [Fact]
    public void Explore_CountReadThenWritten_IsFoundAndReplays()
    {
        var report = Interleavings.Explore(
            () => new Racy(), [r => r.CountApart(), r => r.CountApart()], r => r.Count.Should().Be(2));
        report.Outcome.Should().Be(Outcome.Failed, report.ToString());
        report.Columns.Should().Contain("Racy.cs:").And.Contain("var count = _count;");
        Interleavings.Replay(
                report.Schedule!, () => new Racy(), [r => r.CountApart(), r => r.CountApart()],
                r => r.Count.Should().Be(2))
            .Failure.Should().Be(report.Failure);
    }

    [Fact]
    public void Explore_SoundCounts_Pass()
    {
        Interleavings.Explore(
            () => new Racy(), [r => r.CountAtOnce(), r => r.CountAtOnce()], r => r.Count.Should().Be(2)).AssertPassed();
        Interleavings.Explore(
            () => new Racy(), [r => r.CountUnderLock(), r => r.CountUnderLock()],
            r => r.Count.Should().Be(2)).AssertPassed();
        Interleavings.Explore(
            () => new Racy(), [r => r.CountUnderMonitor(), r => r.CountUnderMonitor()],
            r => r.Count.Should().Be(2)).AssertPassed();
    }

    [Fact]
    public void Explore_LockOrderTurned_IsADeadlock()
    {
        var report = Interleavings.Explore(
            () => new Racy(), [r => r.FirstThenSecond(), r => r.SecondThenFirst()]);
        report.Failure.Should().StartWith("deadlock", report.ToString());
        report.Failure.Should().Contain("thread 0 holds it").And.Contain("thread 1 holds it");
        Interleavings.Explore(() => new Racy(), [r => r.FirstThenSecond(), r => r.FirstThenSecond()]).AssertPassed();
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Explore_FlagsWithoutFence_AreFoundOnlyThere(bool isFenced)
    {
        var report = Interleavings.Explore(
            () => new Racy(),
            [r => r.EnterByFlag(isFirst: true, isFenced), r => r.EnterByFlag(isFirst: false, isFenced)],
            r => r.Count.Should().BeLessThan(2));
        report.Outcome.Should().Be(isFenced ? Outcome.Passed : Outcome.Failed, report.ToString());
        if (!isFenced)
        {
            report.Columns.Should().Contain("store buffer");
        }
    }

    /// <summary>x86 keeps stores in their order; on ARM only what .NET says is in order is.</summary>
    [Theory, MemberData(nameof(Ways))]
    public void Explore_EntryPublishedBeforeItsContent_IsFoundOnArmAlone(Racy.PublishedBy how)
    {
        Explore(isCareless: false, MemoryOrder.X86).AssertPassed();
        Explore(isCareless: false, MemoryOrder.Arm).AssertPassed();
        Explore(isCareless: true, MemoryOrder.X86).AssertPassed();
        var report = Explore(isCareless: true, MemoryOrder.Arm);
        if (how == Racy.PublishedBy.Reference)
        {
            report.AssertPassed();
            return;
        }

        report.Failure.Should().Contain("the entry is empty", report.ToString());
        report.Columns.Should().Contain("store buffer");
        Explore(isCareless: true, MemoryOrder.Arm, report.Schedule).Failure.Should().Be(report.Failure);

        InterleavingReport Explore(bool isCareless, MemoryOrder order, string? schedule = null)
        {
            Action<Racy>[] threads = [r => r.Publish(how, isCareless), r => r.Use(how)];
            InterleavingOptions options = new() { MemoryOrder = order };
            return schedule is null ? Interleavings.Explore(() => new Racy(), threads, null, options)
                : Interleavings.Replay(schedule, () => new Racy(), threads, null, options);
        }
    }

    /// <summary>A third thread reads the content at any time, so that its store may be held.</summary>
    [Theory, MemberData(nameof(Ways))]
    public void Explore_ContentHeldBeforeAVolatileStore_IsSeenFirst(Racy.PublishedBy how)
    {
        foreach (var order in Enum.GetValues<MemoryOrder>())
        {
            Interleavings.Explore(
                () => new Racy(),
                [r => r.Publish(how, isCareless: false), r => r.Use(how), r => _ = r.Content(how)],
                options: new() { MemoryOrder = order, Preemptions = 1 }).AssertPassed();
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Explore_SlotReturnedTwice_IsFound(bool isCareless)
    {
        var report = Interleavings.Explore(
            () => new Racy(), [r => r.DeleteTwice(isCareless), r => r.DeleteTwice(isCareless)],
            r => r.Free.Should().OnlyHaveUniqueItems());
        report.Outcome.Should().Be(isCareless ? Outcome.Failed : Outcome.Passed, report.ToString());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Explore_EntryLostInAFlip_IsFound(bool isCareless) =>
        Interleavings.Explore(() => new Racy(), [r => r.Flip(isCareless), r => r.Find()])
            .Outcome.Should().Be(isCareless ? Outcome.Failed : Outcome.Passed);

    [Theory, InlineData(false), InlineData(true)]
    public void Explore_LostWake_IsADeadlock(bool isCareless)
    {
        var report = Interleavings.Explore(
            () => new Racy(), [r => r.AwaitIdle(isCareless), r => r.BecomeIdle()]);
        report.Outcome.Should().Be(isCareless ? Outcome.Failed : Outcome.Passed, report.ToString());
        if (isCareless)
        {
            report.Failure.Should().StartWith("deadlock").And.Contain("a pulse of");
        }
    }

    [Fact]
    public void Explore_SpinningForWhatComes_Passes() =>
        Interleavings.Explore(() => new Racy(), [r => r.AwaitSpinning(), r => r.BecomeIdle()]).AssertPassed();

    /// <summary>Two that try the lock of a third do not keep it from running.</summary>
    [Fact]
    public void Explore_SpinLockOfThree_Passes() =>
        Interleavings.Explore(
            () => new Racy(),
            [r => r.CountUnderSpinLock(), r => r.CountUnderSpinLock(), r => r.CountUnderSpinLock()],
            r => r.Count.Should().Be(3),
            new() { Preemptions = 1, HeldStores = 0, RandomSchedules = 10 }).AssertPassed();

    [Fact]
    public void Explore_SpinningForWhatNeverComes_IsALivelock() =>
        Interleavings.Explore(() => new Racy(), [r => r.AwaitSpinning(), r => r.CountApart()])
            .Failure.Should().StartWith("livelock");

    [Fact]
    public void Explore_InterruptUnderALock_IsADeadlock() =>
        Interleavings.Explore(
                () => new Racy(), [r => r.CountUnderLock()], interrupts: [r => r.CountUnderLock()])
            .Failure.Should().StartWith("deadlock: an interrupt");

    [Fact]
    public void Explore_InterruptUnderALockAroundNothing_IsADeadlock() =>
        Interleavings.Explore(() => new Racy(), [r => r.HoldLock()], interrupts: [r => r.HoldLock()])
            .Failure.Should().StartWith("deadlock: an interrupt");

    [Fact]
    public void Explore_LockTriedWhileHeldAroundNothing_IsFoundAndReplays()
    {
        var report = Interleavings.Explore(
            () => new Racy(), [r => r.HoldLock(), r => r.CountIfFree()], r => r.Count.Should().Be(1));
        report.Outcome.Should().Be(Outcome.Failed, report.ToString());
        Interleavings.Replay(
                report.Schedule!, () => new Racy(), [r => r.HoldLock(), r => r.CountIfFree()],
                r => r.Count.Should().Be(1))
            .Failure.Should().Be(report.Failure);
    }

    [Fact]
    public void Explore_BudgetUsedUp_IsNoPass()
    {
        var report = Interleavings.Explore(
            () => new Racy(), [r => r.CountAtOnce(), r => r.CountAtOnce(), r => r.CountAtOnce()],
            options: new() { SchedulesMax = 5 });
        report.Outcome.Should().Be(Outcome.OutOfBudget);
        report.Invoking(r => r.AssertPassed()).Should().Throw<InterleavingException>().WithMessage("*out of budget*");
    }

    [Fact]
    public void Explore_CapturedObject_IsRefused()
    {
        var outside = new Racy();
        FluentActions.Invoking(() => Interleavings.Explore(() => outside, [r => r.CountApart()]))
            .Should().Throw<ArgumentException>().WithMessage("*'outside' of type Racy*");
    }

    [Fact]
    public void Explore_Fault_ComesInSomeSchedules()
    {
        var report = Interleavings.Explore(
            () => new Racy(), [r => FailOrCount(r)], r => r.Count.Should().Be(1));
        report.Outcome.Should().Be(Outcome.Failed);
        report.Schedule.Should().Contain("?0");
        Interleavings.Explore(
            () => new Racy(), [r => FailOrCount(r)], r => r.Count.Should().Be(1), new() { Faults = 0 }).AssertPassed();
    }

    private static void FailOrCount(Racy racy)
    {
        if (!Interleavings.Fault())
        {
            racy.CountAtOnce();
        }
    }
}
