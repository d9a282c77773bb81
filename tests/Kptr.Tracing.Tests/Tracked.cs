using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tracing.Tests.Making;

namespace Kptr.Tracing.Tests;

/// <summary>A model with task_tracker attached, which keeps every new task.</summary>
internal sealed class Tracked : IDisposable
{
    private readonly BpfObject _tracker;
    private readonly BpfLink[] _links;

    public Tracked(int cpus)
    {
        Kernel = new(new() { CpuCount = cpus, Driver = DeferredDriver.Manual });
        _tracker = BpfObject.Open(Path.Combine(AppContext.BaseDirectory, "task_tracker.bpf.o")).Load(Kernel);
        var tracing = _tracker.Programs.Values.Where(p => p.Spec.SectionName.StartsWith("tp_btf/"));
        _links = [.. tracing.Select(p => p.Attach())];
    }

    public KernelModel Kernel { get; }

    /// <summary>Replays a made trace: its events themselves, or what a reader makes of them.</summary>
    public TraceReplayReport Replay(TraceMaker maker, TraceFormat format)
    {
        var replay = new TraceReplay(Kernel);
        if (format == TraceFormat.Detect)
        {
            return replay.Run(maker.Make());
        }

        var bytes = new MemoryStream();
        if (format == TraceFormat.TraceDat)
        {
            DatWriter.Write(7, maker.Make(), Kernel.CpuCount, bytes);
        }
        else
        {
            TextWriters.Write(format, maker.Make(), bytes);
        }

        bytes.Position = 0;
        using var reader = TraceReader.Open(bytes, "made");
        return replay.Run(reader);
    }

    /// <summary>What the program kept and counted is what really happened.</summary>
    public void Verify(TraceReplayReport report, Truth truth)
    {
        Kernel.Faults.Should().BeEmpty();
        report.TasksAlive.Should().Be(truth.Alive);
        _tracker.Maps[".bss"].TryLookup(0, out (ulong Execs, ulong Exits) counts).Should().BeTrue();
        counts.Should().Be(((ulong)truth.Execs, (ulong)truth.Exits));
        foreach (var (pid, made) in truth.LastForked)
        {
            Summarise(pid).Should().Be((made.Tgid, made.Comm, made.RunNs), $"it is pid {pid}");
        }

        Array.ForEach(_links, link => link.Dispose());
        _tracker.Dispose();
        Kernel.Quiesce();
        Kernel.Ledger.AssertAllReturned();
    }

    public void Dispose()
    {
        Array.ForEach(_links, link => link.Dispose());
        _tracker.Dispose();
        Kernel.Dispose();
    }

    private (int Tgid, string Comm, long RunNs) Summarise(int pid)
    {
        var run = _tracker.Programs["summarise"].TestRun(BitConverter.GetBytes(pid));
        run.ReturnValue.Should().Be(1, $"it keeps {pid}");
        _tracker.Maps["summary"].TryLookup(0, out TaskSummary summary).Should().BeTrue();
        summary.Pid.Should().Be(pid);
        return (summary.Tgid, Encoding.UTF8.GetString(((ReadOnlySpan<byte>)summary.Comm).TrimEnd((byte)0)),
            summary.CpuTimeNs);
    }

    // struct task_summary of task_tracker.bpf.c.
    [StructLayout(LayoutKind.Sequential)]
    private struct TaskSummary
    {
        public int Pid;
        public int Tgid;
        public CommBytes Comm;
        public ulong CgroupId;
        public long CpuTimeNs;
        public ulong SeenNs;
    }

    [InlineArray(16)]
    private struct CommBytes
    {
        private byte _first;
    }
}
