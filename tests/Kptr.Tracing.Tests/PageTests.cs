using Kptr.Objects;
using Kptr.Tests.Shared;

namespace Kptr.Tracing.Tests;

/// <summary>What docs/tracing.md and the package's README show.</summary>
public class PageTests
{
    [Fact]
    public void Replay()
    {
        var path = Path.Combine(RepoRoot.Path, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o");
        var recorded = Path.Combine(RepoRoot.Path, "samples", "TraceReplay", "trace.txt");

        using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });
        using BpfObject tracker = BpfObject.Open(path).Load(kernel);
        using BpfLink link = tracker.Programs["on_newtask"].Attach();

        using TraceReader trace = TraceReader.Open(recorded);
        TraceReplayReport report = new TraceReplay(kernel).Run(trace);
        Console.WriteLine(report);                              // what happened, and what the trace left open
        Console.WriteLine(kernel.Ledger.Snapshot());            // who pins what, and since which line of C

        tracker.Programs["on_newtask"].RunCount.Should().BePositive();
        kernel.Ledger.PinnedBytes().Should().BePositive();
    }

    [Fact]
    public void ThisMachine()
    {
        using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });

        ProcSnapshot machine = ProcSnapshot.Read();             // or ReadArchive("machine.tar.gz")
        Console.WriteLine(machine);                             // and what could not be read, and why
        foreach (var refused in machine.MakeIn(kernel))
        {
            Console.WriteLine(refused);
        }

        kernel.Tasks.Find(Environment.ProcessId).Should().NotBeNull();

        using var end = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
        LiveProcReport seen = new LiveProc(kernel).Run(end.Token);
        Console.WriteLine(seen);

        seen.Looks.Should().BePositive();
        kernel.Faults.Should().BeEmpty();
    }
}
