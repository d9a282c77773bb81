using Kptr.Objects;

namespace Kptr.Tracing.Replay;

/// <summary>What each event makes the model do.</summary>
internal sealed class ReplayEvents(KernelModel kernel, IssueLog issues, ReplayRecords records)
{
    private const int UnknownNamesMax = 1024;
    private const int CommBytesMax = 15;
    private readonly ReplayCpus _cpus = new(issues);
    private readonly ReplayCgroups _cgroups = new(kernel, issues);

    internal ReplayTasks Tasks { get; } = new(kernel, issues);

    internal long Applied { get; private set; }

    internal long LeftOut { get; private set; }

    internal Dictionary<string, long> Unknown { get; } = [];

    internal void LeaveOut() => LeftOut++;

    /// <summary>Lets an event happen, on its CPU and on behalf of the task that ran there.</summary>
    internal void Happen(TraceEvent at, bool isLate)
    {
        var cpuBefore = kernel.CurrentCpu;
        kernel.CurrentCpu = CpuOf(at);
        try
        {
            var current = CurrentOf(at, isLate);
            using (kernel.Tasks.Run(current))
            {
                if (Act(at, isLate))
                {
                    Applied++;
                }
                else
                {
                    LeftOut++;
                }

                records.Raise(at);
            }
        }
        finally
        {
            kernel.CurrentCpu = cpuBefore;
        }
    }

    internal void End(long ns) => _cpus.End(ns);

    private bool Act(TraceEvent at, bool isLate)
    {
        switch (at.Name)
        {
            case "sched_switch":
                return Switch(at, isLate);
            case "sched_wakeup" or "sched_wakeup_new" or "sched_waking":
                return Wakeup(at, isLate);
            case "sched_stat_runtime":
                return Runtime(at, isLate);
            case "sched_migrate_task":
                return Migrate(at, isLate);
            case "task_newtask":
                return NewTask(at, isLate);
            case "sched_process_fork":
                return Fork(at, isLate);
            case "sched_process_exec":
                return Exec(at, isLate);
            case "sched_process_exit":
                return Exit(at, isLate);
            case "sched_process_free":
                return Free(at);
            case "task_rename":
                return Rename(at, isLate);
            case "cgroup_attach_task":
                return Attach(at, isLate);
            case "cgroup_mkdir":
                return _cgroups.Make(at);
            case "cgroup_rmdir":
                return _cgroups.Remove(at);
            case TraceEvent.LostEvents:
                return Lose(at);
            default:
                // Bounded, whatever names a broken trace makes up.
                if (Unknown.Count < UnknownNamesMax || Unknown.ContainsKey(at.Name))
                {
                    Unknown[at.Name] = Unknown.GetValueOrDefault(at.Name) + 1;
                }

                return true;
        }
    }

    private bool Switch(TraceEvent at, bool isLate)
    {
        Tasks.HasSwitches = true;
        if (!Pid(at, "prev_pid", out var prevPid) || !Pid(at, "next_pid", out var nextPid))
        {
            return false;
        }

        var prev = prevPid == 0 ? null : Tasks.Get(prevPid, at.TextOf("prev_comm"), at, isLate);
        var next = nextPid == 0 ? null : Tasks.Get(nextPid, at.TextOf("next_comm"), at, isLate);
        if ((prev is null && prevPid != 0) || (next is null && nextPid != 0))
        {
            return false;
        }

        if (!isLate)
        {
            _cpus.Switch(prev, next, at);
        }

        var state = TaskStates.Of(at, "prev_state");
        if (state.IsDead && prev is not null)
        {
            Tasks.SwitchOut(prev, TaskOf(next), at);
            return true;
        }

        var isPreempted = at.TextOf("prev_state") is "R+" || (state.Reported & TaskStates.ReportedPreempted) != 0;
        kernel.Raise("sched_switch", isPreempted ? 1u : 0, AddressOf(prev), AddressOf(next), state.State);
        return true;
    }

    private bool Wakeup(TraceEvent at, bool isLate)
    {
        if (!Pid(at, "pid", out var pid) || Tasks.Get(pid, at.TextOf("comm"), at, isLate) is not { } task)
        {
            return false;
        }

        kernel.Raise(at.Name, task.Task.Address);
        return true;
    }

    private bool Runtime(TraceEvent at, bool isLate)
    {
        if (!Pid(at, "pid", out var pid))
        {
            return false;
        }

        if (!at.TryGetNumber("runtime", out var ns) || ns < 0)
        {
            issues.Add(TraceIssueKind.BadFields, at, "has no runtime that makes sense", pid);
            return false;
        }

        // The last of a dead task may be told once it is gone from its CPU.
        var task = Tasks.Find(pid) is { IsDead: true } dead ? dead : Tasks.Get(pid, at.TextOf("comm"), at, isLate);
        if (task is { Task.IsFreed: true })
        {
            issues.Add(TraceIssueKind.LateForEnded, at, "was freed", pid);
        }

        if (task is null or { Task.IsFreed: true })
        {
            return false;
        }

        ReplayCpus.AddRuntime(task, ns);
        kernel.Raise(at.Name, task.Task.Address, (ulong)ns);
        return true;
    }

    private bool Migrate(TraceEvent at, bool isLate)
    {
        if (!Pid(at, "pid", out var pid) || Tasks.Get(pid, at.TextOf("comm"), at, isLate) is not { } task
            || !at.TryGetNumber("dest_cpu", out var cpu))
        {
            return false;
        }

        kernel.Raise(at.Name, task.Task.Address, (ulong)cpu);
        return true;
    }

    private bool NewTask(TraceEvent at, bool isLate)
    {
        if (!Pid(at, "pid", out var pid))
        {
            return false;
        }

        // It happens to the parent.
        CloneFlags? flags = at.TryGetNumber("clone_flags", out var bits) ? (CloneFlags)bits : null;
        return Tasks.Fork(at.Pid, null, pid, at.TextOf("comm") ?? "", flags, at, isLate);
    }

    private bool Fork(TraceEvent at, bool isLate) =>
        Pid(at, "parent_pid", out var parent) && Pid(at, "child_pid", out var pid)
            && Tasks.Fork(parent, at.TextOf("parent_comm"), pid, at.TextOf("child_comm") ?? "", null, at, isLate);

    private bool Exec(TraceEvent at, bool isLate)
    {
        if (!Pid(at, "pid", out var pid))
        {
            return false;
        }

        var oldPid = at.TryGetInt32("old_pid", out var old) ? old : pid;
        var file = at.TextOf("filename") ?? at.Comm;
        return Tasks.Exec(pid, oldPid, Cut(file[(file.LastIndexOf('/') + 1)..]), at, isLate);
    }

    private bool Exit(TraceEvent at, bool isLate) =>
        Pid(at, "pid", out var pid) && Tasks.Exit(pid, at.TextOf("comm"), at, isLate);

    private bool Free(TraceEvent at) => Pid(at, "pid", out var pid) && Tasks.Free(pid, at);

    private bool Rename(TraceEvent at, bool isLate)
    {
        var pid = at.TryGetInt32("pid", out var named) ? named : at.Pid;
        if (at.TextOf("newcomm") is not { } comm)
        {
            issues.Add(TraceIssueKind.BadFields, at, "has no new name", pid);
            return false;
        }

        return Tasks.Rename(pid, comm, at, isLate);
    }

    private bool Attach(TraceEvent at, bool isLate) =>
        Pid(at, "pid", out var pid) && Tasks.Get(pid, at.TextOf("comm"), at, isLate) is { IsDead: false } task
            && _cgroups.Attach(task, at);

    private bool Lose(TraceEvent at)
    {
        var count = at.TryGetNumber("events", out var events) && events > 0 ? events : 1;
        issues.Add(TraceIssueKind.LostEvents, at, at.Cpu < 0 ? "on some CPU" : $"on CPU {at.Cpu}", count: count);
        _cpus.Forget(at.Cpu);
        return true;
    }

    private bool Pid(TraceEvent at, string field, out int pid)
    {
        if (at.TryGetInt32(field, out pid) && pid >= 0)
        {
            return true;
        }

        issues.Add(TraceIssueKind.BadFields, at, $"has no {field} that makes sense");
        return false;
    }

    private TaskStruct CurrentOf(TraceEvent at, bool isLate)
    {
        if (at.Pid <= 0 || isLate)
        {
            return at.Pid == 0 ? kernel.Tasks.IdleOf(kernel.CurrentCpu) : kernel.Tasks.Init;
        }

        return Tasks.Find(at.Pid) is { IsSwitchedOut: false } task ? task.Task : kernel.Tasks.Init;
    }

    private int CpuOf(TraceEvent at)
    {
        if (at.Cpu < 0)
        {
            return 0;
        }

        if (at.Cpu < kernel.CpuCount && kernel.PossibleCpus.Contains(at.Cpu))
        {
            return at.Cpu;
        }

        issues.Add(TraceIssueKind.Unsupported, at, $"the model has no CPU {at.Cpu}; CPU 0 plays it");
        return 0;
    }

    private TaskStruct TaskOf(ReplayTask? task) => task?.Task ?? kernel.Tasks.IdleOf(kernel.CurrentCpu);

    private ulong AddressOf(ReplayTask? task) => TaskOf(task).Address;

    private static string Cut(string name) => name.Length <= CommBytesMax ? name : name[..CommBytesMax];
}
