using System.Globalization;
using System.Runtime.InteropServices;
using Kptr;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tracing;

// What would task_tracker have pinned on the machine where a trace was recorded?
// dotnet run [TRACE]
var files = AppContext.BaseDirectory;
var tracePath = args.Length > 0 ? args[0] : Path.Combine(files, "trace.txt");
using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });
using var tracker = BpfObject.Open(Path.Combine(files, "task_tracker.bpf.o")).Load(kernel);
var programs = tracker.Programs.Values.Where(p => p.Spec.SectionName.StartsWith("tp_btf/"));
BpfLink[] links = [.. programs.Select(p => p.Attach())];

using var trace = TraceReader.Open(tracePath, new() { SkipsBadLines = true });
Console.WriteLine($"{trace.Format}: {new TraceReplay(kernel).Run(trace)}");

foreach (var pin in kernel.Ledger.Snapshot().Entries.Where(e => e.Holder is MapHolder))
{
    var pid = int.Parse(((MapHolder)pin.Holder).Key, CultureInfo.InvariantCulture);
    tracker.Programs["summarise"].TestRun(BitConverter.GetBytes(pid));
    tracker.Maps["summary"].TryLookup(0, out TaskSummary summary);
    var cgroup = kernel.Cgroups.Find(summary.CgroupId)?.Path;
    Console.WriteLine($"{pin.Object,-34} {cgroup,-8} {summary.CpuTimeNs / 1_000_000,4} ms of CPU time");
}

Array.ForEach(links, link => link.Dispose());
Console.WriteLine($"{kernel.Ledger.PinnedBytes()} bytes are pinned by {tracker.Maps["tasks"].Name}");

// struct task_summary of task_tracker.bpf.c, as far as it is needed.
[StructLayout(LayoutKind.Explicit, Size = 48)]
internal struct TaskSummary
{
    [FieldOffset(24)] public ulong CgroupId;
    [FieldOffset(32)] public ulong CpuTimeNs;
}
