using System.Globalization;
using Kptr.Execution;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Benchmarks;

/// <summary>Tasks that are forked, execute, exit and are reaped, while task_tracker's three programs look on.</summary>
internal static class EventTiming
{
    private const int LivesPerTurn = 20_000;
    private const int Turns = 9;
    private const int EventsPerLife = 4;
    private const int LivesPerGracePeriod = 64;

    /// <summary>A line for each ledger level and engine: events a second of processor time, bytes an event.</summary>
    internal static IEnumerable<string> Measure()
    {
        foreach (var level in (LedgerLevel[])[LedgerLevel.Counts, LedgerLevel.Sites])
        {
            foreach (var engine in Enum.GetValues<ExecEngine>())
            {
                yield return Measure(level, engine);
            }
        }
    }

    private static string Measure(LedgerLevel level, ExecEngine engine)
    {
        using var kernel = new KernelModel(new()
        {
            LedgerLevel = level, Engine = engine, Driver = DeferredDriver.Manual,
        });
        var path = Path.Combine(AppContext.BaseDirectory, "task_tracker.bpf.o");
        using var tracker = BpfObject.Open(path).Load(kernel);
        using var onNew = tracker.Programs["on_newtask"].Attach();
        using var onExec = tracker.Programs["on_exec"].Attach();
        using var onExit = tracker.Programs["on_exit"].Attach();
        Live(kernel, tracker.Maps["tasks"]);
        var best = TimeSpan.MaxValue;
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Turns; i++)
        {
            var before = Environment.CpuUsage.TotalTime;
            Live(kernel, tracker.Maps["tasks"]);
            var spent = Environment.CpuUsage.TotalTime - before;
            best = spent < best ? spent : best;
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        kernel.Ledger.AssertAllReturned();
        const int events = LivesPerTurn * EventsPerLife;
        return string.Create(CultureInfo.InvariantCulture,
            $"{level,-8} {engine,-12} {events / best.TotalSeconds / 1000,8:F0} thousand events a second, "
                + $"{allocated / (double)(Turns * events),6:F0} bytes an event");
    }

    private static void Live(KernelModel kernel, BpfMap kept)
    {
        for (var i = 0; i < LivesPerTurn; i++)
        {
            var task = kernel.Tasks.Fork(kernel.Tasks.Init, "worker");
            kernel.Tasks.Exec(task, "job");
            kernel.Tasks.Exit(task);
            kernel.Tasks.Reap(task);
            kept.Delete(task.Pid);
            if (i % LivesPerGracePeriod == 0)
            {
                kernel.Quiesce();
            }
        }

        kernel.Quiesce();
    }
}
