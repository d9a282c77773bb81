using System.Globalization;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tracing;
using Kptr.Tracing.Tests.Making;

namespace Kptr.Benchmarks.Tracing;

/// <summary>
/// Made traces with faults planted, replayed from files with task_tracker attached: how fast, in how much memory, and
/// whether it ends in what really happened.
/// </summary>
internal static class TraceTiming
{
    private const int Cpus = 4;
    private const int Rounds = 3;

    internal static IEnumerable<string> Measure(int events)
    {
        yield return "format        size MB   read Mev/s   replay kev/s   "
            + "heap and process MB at a quarter, half, end   as it was";
        foreach (var format in new[]
        {
            TraceFormat.PerfScript, TraceFormat.Ftrace, TraceFormat.TraceDat, TraceFormat.Chrome, TraceFormat.Bpftrace,
        })
        {
            var path = Path.GetTempFileName();
            try
            {
                var truth = Write(format, events, path);
                var read = Enumerable.Range(0, Rounds).Min(_ => Time(() => Read(path)));
                var best = Enumerable.Range(0, Rounds).Select(_ => Replay(path, events, truth)).MinBy(r => r.Seconds);
                yield return string.Create(CultureInfo.InvariantCulture,
                    $"{format,-12} {new FileInfo(path).Length / 1e6,8:0.0} {events / read / 1e6,12:0.00} ")
                    + string.Create(CultureInfo.InvariantCulture,
                        $"{events / best.Seconds / 1e3,14:0}   {string.Join(", ", best.Memory),-42}  {best.IsRight}");
            }
            finally
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>Writes a made trace.</summary>
    internal static Truth Write(TraceFormat format, int events, string path)
    {
        // Chrome's JSON has no word for lost events.
        var maker = new TraceMaker(new()
        {
            Events = events, Cpus = Cpus, LostExits = 60, LostFrees = 60, LostForks = 40, Interleaved = 256,
            LostWakeups = format == TraceFormat.Chrome ? 0 : 2,
        });
        using var file = File.Create(path);
        if (format == TraceFormat.TraceDat)
        {
            DatWriter.Write(7, maker.Make(), Cpus, file);
        }
        else
        {
            TextWriters.Write(format, maker.Make(), file);
        }

        return maker.Truth;
    }

    private static void Read(string path)
    {
        using var reader = TraceReader.Open(path);
        while (reader.TryRead(out _))
        {
        }
    }

    private static (double Seconds, List<string> Memory, bool IsRight) Replay(string path, int events, Truth truth)
    {
        using var kernel = new KernelModel(new() { CpuCount = Cpus, Driver = DeferredDriver.Manual });
        using var tracker = BpfObject.Open(Path.Combine(AppContext.BaseDirectory, "task_tracker.bpf.o")).Load(kernel);
        var programs = tracker.Programs.Values.Where(p => p.Spec.SectionName.StartsWith("tp_btf/"));
        BpfLink[] links = [.. programs.Select(p => p.Attach())];

        var replay = new TraceReplay(kernel);
        List<string> memory = [];
        var paused = TimeSpan.Zero;
        var count = 0;
        var seconds = Time(() =>
        {
            using var reader = TraceReader.Open(path);
            while (reader.TryRead(out var next))
            {
                replay.Apply(next);
                if (++count == events / 4 || count == events / 2 || count == events - 1)
                {
                    var since = Environment.CpuUsage.TotalTime;
                    memory.Add($"{GC.GetTotalMemory(forceFullCollection: true) >> 20} {Environment.WorkingSet >> 20}");
                    paused += Environment.CpuUsage.TotalTime - since;
                }
            }

            replay.Finish();
        });
        Array.ForEach(links, link => link.Dispose());
        return (seconds - paused.TotalSeconds, memory, IsRight(replay.Report, tracker, truth));
    }

    private static bool IsRight(TraceReplayReport report, BpfObject tracker, Truth truth)
    {
        tracker.Maps[".bss"].TryLookup(0, out (ulong Execs, ulong Exits) counts);
        return counts == ((ulong)truth.Execs, (ulong)truth.Exits) && report.TasksAlive == truth.Alive
            && report.CountOf(TraceIssueKind.ExitNeverSeen) == truth.ExitsNeverSeen
            && report.CountOf(TraceIssueKind.FreeNeverSeen) == truth.FreesNeverSeen
            && report.CountOf(TraceIssueKind.ForkNeverSeen) == truth.ForksNeverSeen
            && report.CountOf(TraceIssueKind.LostEvents) == truth.Lost
            && truth.LastForked.All(t => CpuTimeOf(tracker, t.Key) == t.Value.RunNs);
    }

    private static long CpuTimeOf(BpfObject tracker, int pid)
    {
        var run = tracker.Programs["summarise"].TestRun(BitConverter.GetBytes(pid));
        tracker.Maps["summary"].TryLookup(0, out TrackedTask found);
        return run.ReturnValue == 1 ? found.CpuTimeNs : -1;
    }

    // Processor time of the whole process: the machine may be busy with other things.
    private static double Time(Action action)
    {
        var since = Environment.CpuUsage.TotalTime;
        action();
        return (Environment.CpuUsage.TotalTime - since).TotalSeconds;
    }
}
