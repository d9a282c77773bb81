using Xunit.Abstractions;

namespace Kptr.Testing.Tests.Schedules;

/// <summary>Measures; asks for speed only where <c>KPTR_SCHEDULES_SPEED</c> is set, on an idle machine.</summary>
public class SpeedTests(ITestOutputHelper output)
{
    [Fact]
    public void TwoThreadsOfFourOperations_SchedulesPerSecond()
    {
        var isAsked = Environment.GetEnvironmentVariable("KPTR_SCHEDULES_SPEED") is { Length: > 0 };
        if (isAsked)
        {
            Explore(preemptions: 6, random: 20_000);    // compiles what is measured
        }

        var report = Explore(isAsked ? 6 : 2, isAsked ? 50_000 : 10);
        var perSecond = report.Schedules / report.Elapsed.TotalSeconds;
        output.WriteLine($"{report.Schedules} schedules, {perSecond:N0} a second");
        if (isAsked)
        {
            perSecond.Should().BeGreaterThan(20_000);
        }
    }

    /// <summary>With <c>KPTR_SCHEDULES</c> set, minutes.</summary>
    [Fact]
    public void ThreeThreadsOfSixOperations_EndWithinTheBounds()
    {
        var isNightly = Environment.GetEnvironmentVariable("KPTR_SCHEDULES") is { Length: > 0 };
        var report = Interleavings.Explore(
            () => new Racy(), [r => SixTimes(r), r => SixTimes(r), r => SixTimes(r)],
            options: new()
            {
                Preemptions = isNightly ? 2 : 1,
                Interrupts = isNightly ? 1 : 0,
                Faults = isNightly ? 1 : 0,
                HeldStores = 0,
                RandomSchedules = 0,
                SchedulesMax = int.MaxValue,
                TimeMax = TimeSpan.FromHours(1),
            },
            interrupts: [r => r.CountAtOnce()]).AssertPassed();
        output.WriteLine($"{report.Schedules} schedules in {report.Elapsed}");
    }

    private static InterleavingReport Explore(int preemptions, int random) => Interleavings.Explore(
        () => new Racy(), [r => FourTimes(r), r => FourTimes(r)], r => r.Count.Should().Be(8),
        new() { Preemptions = preemptions, HeldStores = 0, RandomSchedules = random }).AssertPassed();

    private static void FourTimes(Racy racy)
    {
        racy.CountAtOnce();
        racy.CountAtOnce();
        racy.CountAtOnce();
        racy.CountAtOnce();
    }

    private static void SixTimes(Racy racy)
    {
        for (var i = 0; i < 3; i++)
        {
            if (!Interleavings.Fault())
            {
                racy.CountAtOnce();
            }

            if (!Interleavings.Fault())
            {
                racy.CountUnderLock();
            }
        }
    }
}
