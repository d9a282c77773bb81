using Kptr;
using Kptr.Maps;
using Kptr.Objects;

namespace TaskTracker;

/// <summary>Prints what the tracker knows, as user space sees it, beside what the ledger knows.</summary>
internal sealed class TaskReport(KernelModel kernel, BpfObject tracker, TextWriter output)
{
    public void PrintTasks(IEnumerable<TaskStruct> tasks)
    {
        output.WriteLine($"   {"pid",3}  {"comm",-8} {"cgroup",-7} {"cpu ms",7}  {"state",-7} {"refs",4}  pinned by");
        foreach (var task in tasks)
        {
            var summary = Summarise(task.Pid);
            var cgroup = kernel.Cgroups.Find(summary.CgroupId)?.Path ?? "-";
            var pins = kernel.Ledger.WhoPins(task);
            output.WriteLine(
                $"   {summary.Pid,3}  {summary.CommText,-8} {cgroup,-7} {summary.CpuTimeNs / 1_000_000,7}  "
                    + $"{StateOf(task),-7} {pins.Count,4}  {string.Join("; ", pins.Users)}");
        }
    }

    public void PrintEvents()
    {
        tracker.Maps[".bss"].TryLookup(0, out EventCounts counts);
        output.WriteLine($"   {counts.Execs} execs and {counts.Exits} exits seen");
    }

    public void PrintCosts()
    {
        var snapshot = kernel.Ledger.Snapshot();
        output.WriteLine($"   {kernel.Ledger.PinnedBytes()} bytes pinned in all");
        foreach (var (site, bytes) in snapshot.PinnedBytesBySite())
        {
            output.WriteLine($"   {bytes,6} bytes by references taken at {site}");
        }
    }

    /// <summary>Shows an object's references before and after something happens, and what the ledger saw end.</summary>
    public void PrintRelease(TaskStruct task, Action happens)
    {
        var before = kernel.Ledger.Snapshot();
        output.WriteLine($"   before: {Describe(task)}");
        happens();
        kernel.Quiesce();
        foreach (var released in kernel.Ledger.Snapshot().Since(before).Removed.Where(e => e.Holder is MapHolder))
        {
            output.WriteLine($"   released: {released.Object}, from {released.Holder}");
        }

        output.WriteLine($"   after:  {Describe(task)}");
    }

    private string Describe(TaskStruct task) => task.IsFreed
        ? $"{task}"
        : $"{task}, {StateOf(task)}, references: {kernel.Ledger.WhoPins(task).Count}";

    private TaskSummary Summarise(int pid)
    {
        var found = tracker.Programs["summarise"].TestRun(BitConverter.GetBytes(pid));
        return found.ReturnValue == 1
            && tracker.Maps["summary"].TryLookup(0, out TaskSummary summary) ? summary : default;
    }

    private static string StateOf(TaskStruct task) => task.Phase.ToString().ToLowerInvariant();

    /// <summary>The tracker's global variables.</summary>
    private record struct EventCounts(ulong Execs, ulong Exits);
}
