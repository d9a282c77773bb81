using Kptr.Objects;

namespace Kptr.Tracing.Replay;

/// <summary>The tasks that a trace speaks of: each is in the model once, from its first word to its last.</summary>
internal sealed class ReplayTasks(KernelModel kernel, IssueLog issues)
{
    // Clocks of CPUs differ by less than this.
    private const long SkewNsMax = 1_000_000;
    private readonly Dictionary<int, ReplayTask> _byPid = [];
    private readonly LinkedList<ReplayTask> _dead = new();

    /// <summary>How many that the trace has brought have not exited.</summary>
    internal int AliveCount => _byPid.Values.Count(t => t is { IsDead: false, IsOfTrace: true });

    /// <summary>Whether the trace says when tasks are freed.</summary>
    internal bool HasFrees { get; private set; }

    /// <summary>Whether the trace says when CPUs switch.</summary>
    internal bool HasSwitches { get; set; }

    /// <summary>The task with a number; one that nobody has forked is made.</summary>
    /// <param name="pid">Above 0.</param>
    /// <param name="comm">Its name where the event says so.</param>
    /// <param name="at">Who speaks of it.</param>
    /// <param name="isLate">Whether the event comes too late to make anybody.</param>
    /// <returns>Null where it is left out; that is reported.</returns>
    internal ReplayTask? Get(int pid, string? comm, TraceEvent at, bool isLate)
    {
        var known = Find(pid);
        if (known is { IsDead: true, IsSwitchedOut: true } && !isLate)
        {
            // What has left its CPU for good does nothing any more.
            issues.Add(TraceIssueKind.FreeNeverSeen, at, "is dead, and another is at work", pid);
            End(known, at);
            known = null;
        }

        if (known is not null)
        {
            if (comm is { Length: > 0 } && !known.IsDead && known.Comm != comm)
            {
                Renamed(known, comm, at);
            }

            return known;
        }

        if (pid is <= 0 or >= TaskTable.PidMax)
        {
            issues.Add(TraceIssueKind.BadFields, at, "is no number of a task", pid);
            return null;
        }

        if (isLate)
        {
            issues.Add(TraceIssueKind.LateForEnded, at, "is gone, and the event is late", pid);
            return null;
        }

        return Assume(pid, comm, at);
    }

    /// <summary>The task with a number, dead ones included; null if there is none.</summary>
    internal ReplayTask? Find(int pid)
    {
        if (_byPid.TryGetValue(pid, out var known))
        {
            return known;
        }

        // One that was in the model before the replay.
        return kernel.Tasks.Find(pid) is { } task && pid > 0
            ? _byPid[pid] = new(task, pid, task.Comm, 0) { IsDead = task.Phase != TaskPhase.Alive }
            : null;
    }

    /// <summary>A task is forked; what had its number before ends now.</summary>
    internal bool Fork(int parentPid, string? parentComm, int pid, string comm, CloneFlags? flags, TraceEvent at,
        bool isLate)
    {
        var isAnnouncement = at.Name == "task_newtask";
        if (pid is <= 1 or >= TaskTable.PidMax || pid == parentPid)
        {
            issues.Add(TraceIssueKind.BadFields, at, "cannot be a new task", pid);
            return false;
        }

        if (Find(pid) is { } before && !TryEndBefore(before, at, isAnnouncement))
        {
            return true;
        }

        var parent = parentPid <= 0 ? null : Get(parentPid, parentComm, at, isLate);
        if (parent is { IsDead: true })
        {
            issues.Add(TraceIssueKind.BadFields, at, $"is forked by pid {parentPid}, which has exited", pid);
            parent = null;
        }

        if (flags is null)
        {
            issues.Add(TraceIssueKind.ForkKindUnknown, at, "may be a thread", pid);
        }

        var shared = (flags ?? CloneFlags.None) & (CloneFlags.Thread | CloneFlags.Vm | CloneFlags.Files);
        var made = parent is null
            ? Make(kernel.Tasks.Init, pid, comm, CloneFlags.None, false, at)
            : Make(parent.Task, pid, comm, shared, false, at);
        if (made is not null)
        {
            made.IsAnnounced = isAnnouncement;
        }

        return made is not null;
    }

    /// <summary>A thread executes a program, and may take its leader's number.</summary>
    internal bool Exec(int pid, int oldPid, string comm, TraceEvent at, bool isLate)
    {
        if (Get(oldPid, null, at, isLate) is not { } task || IsDead(task, at))
        {
            return false;
        }

        if (pid != task.Task.Tgid)
        {
            issues.Add(TraceIssueKind.BadFields, at, $"executes a program as pid {oldPid} of process "
                + $"{task.Task.Tgid}", pid);
            return false;
        }

        // Other threads have ended by now, where the trace has it all.
        foreach (var thread in kernel.Tasks.ThreadsOf(task.Task))
        {
            if (thread != task.Task && Find(thread.Pid) is { } other)
            {
                if (!other.IsDead)
                {
                    issues.Add(TraceIssueKind.ExitNeverSeen, at, "ends by another thread's exec", other.Pid);
                    Exit(other, at, isSwitchedOut: true);
                }

                Forget(other);
            }
        }

        try
        {
            kernel.Tasks.Exec(task.Task, comm);
        }
        catch (InvalidOperationException error)
        {
            issues.Add(TraceIssueKind.Unsupported, at, error.Message, pid);
            return false;
        }

        _byPid.Remove(oldPid);
        task.Pid = pid;
        task.Comm = comm;
        _byPid[pid] = task;
        return true;
    }

    /// <summary>A task exits. The scheduler is on it until it has switched away.</summary>
    internal bool Exit(int pid, string? comm, TraceEvent at, bool isLate)
    {
        var task = Find(pid) is { IsDead: true } dead ? dead : Get(pid, comm, at, isLate);
        if (task is null || IsDead(task, at))
        {
            return false;
        }

        Exit(task, at, isSwitchedOut: !HasSwitches);
        return task.IsDead;
    }

    /// <summary>A task takes another name.</summary>
    internal bool Rename(int pid, string comm, TraceEvent at, bool isLate)
    {
        if (Get(pid, null, at, isLate) is not { } task)
        {
            return false;
        }

        SetName(task, comm);
        return true;
    }

    /// <summary>The scheduler switches away from a task for the last time.</summary>
    internal void SwitchOut(ReplayTask task, TaskStruct next, TraceEvent at)
    {
        if (!task.IsDead)
        {
            issues.Add(TraceIssueKind.ExitNeverSeen, at, "is switched away from for good", task.Pid);
            Exit(task, at, isSwitchedOut: false);
        }

        if (task.IsDead)
        {
            task.IsSwitchedOut = true;
            kernel.Tasks.SwitchOut(task.Task, next.Phase is TaskPhase.Freed ? null : next);
        }
    }

    /// <summary>A task was freed: whatever it is waiting for has happened.</summary>
    internal bool Free(int pid, TraceEvent at)
    {
        HasFrees = true;
        if (Find(pid) is not { } task)
        {
            issues.Add(TraceIssueKind.EndedBeforeTrace, at, "is freed", pid);
            return true;
        }

        if (!task.IsDead)
        {
            issues.Add(TraceIssueKind.ExitNeverSeen, at, "is freed", pid);
        }

        End(task, at);
        return true;
    }

    /// <summary>Reaps those that died before a time and of whose end nothing was seen since.</summary>
    internal void ReapBefore(long ns, TraceEvent at)
    {
        while (_dead.First is { Value: var task } && task.DeadNs <= ns)
        {
            if (task.Task.IsLeader && kernel.Tasks.ThreadsOf(task.Task).Any(t => t.Phase == TaskPhase.Alive))
            {
                // A process lives on in its threads.
                _dead.RemoveFirst();
                task.DeadNs = at.TimestampNs;
                task.DeadNode = _dead.AddLast(task);
                continue;
            }

            issues.Add(TraceIssueKind.FreeNeverSeen, at, "is reaped", task.Pid);
            End(task, at);
        }
    }

    // Whether a new task may have the number of this one.
    private bool TryEndBefore(ReplayTask before, TraceEvent at, bool isAnnouncement)
    {
        if (before.IsAnnounced && !isAnnouncement)
        {
            before.IsAnnounced = false;
            return false;
        }

        if (before.IsDead)
        {
            issues.Add(TraceIssueKind.FreeNeverSeen, at, "begins anew", before.Pid);
        }
        else if (before.IsAssumed && at.TimestampNs - before.FirstNs <= SkewNsMax)
        {
            issues.Add(TraceIssueKind.ForkSeenLate, at, "was met before it was forked", before.Pid);
            (before.IsAssumed, before.IsAnnounced) = (false, isAnnouncement);
            return false;
        }
        else
        {
            issues.Add(TraceIssueKind.ExitNeverSeen, at, "begins anew", before.Pid);
        }

        End(before, at);
        return true;
    }

    private bool IsDead(ReplayTask task, TraceEvent at)
    {
        if (task.IsDead)
        {
            issues.Add(TraceIssueKind.ExitTwice, at, "has exited before", task.Pid);
        }

        return task.IsDead;
    }

    private ReplayTask? Assume(int pid, string? comm, TraceEvent at)
    {
        issues.Add(TraceIssueKind.ForkNeverSeen, at, "is met for the first time", pid);
        var leader = at.Pid == pid && at.Tgid > 0 && at.Tgid != pid ? Get(at.Tgid, null, at, false) : null;
        var isThread = leader is { IsDead: false };
        return Make(
            isThread ? leader!.Task : kernel.Tasks.Init, pid, comm ?? at.Comm,
            isThread ? CloneFlags.Thread | CloneFlags.Vm : CloneFlags.None, true, at);
    }

    private ReplayTask? Make(
        TaskStruct parent, int pid, string comm, CloneFlags flags, bool isAssumed, TraceEvent at)
    {
        try
        {
            var options = new ForkOptions { Pid = pid, Comm = comm, Flags = flags };
            var task = isAssumed ? kernel.Tasks.Adopt(parent, options) : kernel.Tasks.Fork(parent, options);

            return _byPid[pid] = new(task, pid, comm, at.TimestampNs) { IsOfTrace = true, IsAssumed = isAssumed };
        }
        catch (InvalidOperationException error)
        {
            issues.Add(TraceIssueKind.Unsupported, at, error.Message, pid);
            return null;
        }
    }

    private void Exit(ReplayTask task, TraceEvent at, bool isSwitchedOut)
    {
        try
        {
            kernel.Tasks.Exit(task.Task, switchOut: isSwitchedOut);
        }
        catch (InvalidOperationException error)
        {
            issues.Add(TraceIssueKind.Unsupported, at, error.Message, task.Pid);
            return;
        }

        task.IsDead = true;
        task.IsSwitchedOut = isSwitchedOut;
        task.DeadNs = at.TimestampNs;
        task.DeadNode = _dead.AddLast(task);
    }

    // Brings a task to its end from wherever it is, and forgets it.
    private void End(ReplayTask task, TraceEvent at)
    {
        if (!task.IsDead)
        {
            Exit(task, at, isSwitchedOut: true);
        }

        if (!task.IsDead)
        {
            return; // the first task
        }

        foreach (var thread in kernel.Tasks.ThreadsOf(task.Task))
        {
            if (task.Task.IsLeader && thread != task.Task && Find(thread.Pid) is { IsDead: false } other)
            {
                issues.Add(TraceIssueKind.ExitNeverSeen, at, "ends with its process", other.Pid);
                End(other, at);
            }
        }

        kernel.Tasks.SwitchOut(task.Task);
        kernel.Tasks.Reap(task.Task);
        Forget(task);
    }

    private void Forget(ReplayTask task)
    {
        task.IsGone = true;
        if (task.DeadNode is { } node)
        {
            _dead.Remove(node);
            task.DeadNode = null;
        }

        if (_byPid.TryGetValue(task.Pid, out var now) && now == task)
        {
            _byPid.Remove(task.Pid);
        }
    }

    private void Renamed(ReplayTask task, string comm, TraceEvent at)
    {
        issues.Add(TraceIssueKind.NameChanged, at, $"was {task.Comm} and is {comm}", task.Pid);
        SetName(task, comm);
    }

    private void SetName(ReplayTask task, string comm)
    {
        task.Comm = comm;
        if (!task.IsDead)
        {
            kernel.Tasks.Rename(task.Task, comm);
        }
    }
}
