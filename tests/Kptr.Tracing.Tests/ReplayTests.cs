using Kptr.Tracing.Tests.Making;

namespace Kptr.Tracing.Tests;

/// <summary>Made traces, replayed with a real program, end in what really happened.</summary>
public class ReplayTests
{
    public static TheoryData<TraceFormat, int> Faulty
    {
        get
        {
            var rows = new TheoryData<TraceFormat, int>();
            foreach (var format in new[] { TraceFormat.Detect, TraceFormat.PerfScript, TraceFormat.TraceDat })
            {
                rows.Add(format, 1);
                rows.Add(format, 2);
            }

            return rows;
        }
    }

    [Theory, MemberData(nameof(Faulty))]
    public void FaultyTrace_EndsInWhatHappened(TraceFormat format, int seed)
    {
        var maker = new TraceMaker(new()
        {
            Seed = seed, Events = 20_000, LostExits = 60, LostFrees = 60, LostForks = 40, LostWakeups = 5,
            Interleaved = 256,
        });
        using var tracked = new Tracked(cpus: 4);

        var report = tracked.Replay(maker, format);

        var truth = maker.Truth;
        report.CountOf(TraceIssueKind.LostEvents).Should().Be(truth.Lost);
        report.CountOf(TraceIssueKind.ForkNeverSeen).Should().Be(truth.ForksNeverSeen);
        report.CountOf(TraceIssueKind.ExitNeverSeen).Should().Be(truth.ExitsNeverSeen);
        report.CountOf(TraceIssueKind.FreeNeverSeen).Should().Be(truth.FreesNeverSeen);
        report.Issues.Select(i => i.Kind).Should().BeEquivalentTo(
            [TraceIssueKind.LostEvents, TraceIssueKind.ForkNeverSeen, TraceIssueKind.ExitNeverSeen,
                TraceIssueKind.FreeNeverSeen]);
        report.Issues.Should().OnlyContain(i => i.First.Count > 0 && i.Count >= i.First.Count);
        tracked.Verify(report, truth);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void WholeTrace_LeavesNothingOpen(bool hasRuntimes)
    {
        var maker = new TraceMaker(new() { Seed = 3, Events = 20_000, HasRuntimes = hasRuntimes });
        using var tracked = new Tracked(cpus: 4);

        var report = tracked.Replay(maker, TraceFormat.Detect);

        report.Issues.Should().BeEmpty();
        report.LeftOut.Should().Be(0);
        tracked.Verify(report, maker.Truth);
    }
}
