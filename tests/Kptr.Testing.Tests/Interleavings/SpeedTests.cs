using Xunit.Abstractions;

namespace Kptr.Testing.Tests.Schedules;

/// <summary>Measures; asks for speed only where <c>KPTR_SCHEDULES_SPEED</c> is set, on an idle machine.</summary>
public class SpeedTests(ITestOutputHelper output)
{
    [Fact]
    public void TwoThreadsOfFourOperations_SchedulesPerSecond()
    {
        var isAsked = Environment.GetEnvironmentVariable("KPTR_SCHEDULES_SPEED") is { Length: > 0 };
        var report = Interleavings.Explore(
            () => new Racy(), [r => FourTimes(r), r => FourTimes(r)], r => r.Count.Should().Be(8),
            new() { Preemptions = isAsked ? 6 : 2, HeldStores = 0, RandomSchedules = isAsked ? 50_000 : 10 });
        report.AssertPassed();
        var perSecond = report.Schedules / report.Elapsed.TotalSeconds;
        output.WriteLine($"{report.Schedules} schedules, {perSecond:N0} a second");
        if (isAsked)
        {
            perSecond.Should().BeGreaterThan(20_000);
        }
    }

    private static void FourTimes(Racy racy)
    {
        racy.CountAtOnce();
        racy.CountAtOnce();
        racy.CountAtOnce();
        racy.CountAtOnce();
    }
}
