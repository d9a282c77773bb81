namespace Kptr.Objects;

// The end of tasks. Kernel: do_exit, exit_notify, release_task (kernel/exit.c), finish_task_switch
// (kernel/sched/core.c), 6.12.
public sealed partial class TaskTable
{
    private const ulong TaskDead = 0x80;

    /// <summary>Ends one thread; fires <c>sched_process_exit</c>.</summary>
    /// <param name="task">The thread. Other threads of its process live on.</param>
    /// <param name="exitCode">Wait status.</param>
    /// <param name="switchOut">
    /// Whether the scheduler switches away at once. If not, it keeps its reference until <see cref="SwitchOut"/>.
    /// </param>
    /// <remarks>
    /// A leader becomes a zombie and stays one until it is reaped, which is possible once its last thread is gone.
    /// Another thread is reaped at once. Orphans go to the reaper of their namespace.
    /// </remarks>
    /// <exception cref="InvalidOperationException">It has exited before, or is the first task.</exception>
    public void Exit(TaskStruct task, int exitCode = 0, bool switchOut = true)
    {
        _core.CheckOwn(task);
        if (task == Init || task.Pid == 0)
        {
            throw new InvalidOperationException("the first task and idle tasks must not exit");
        }

        if (!TryExit(task, exitCode, switchOut))
        {
            throw new InvalidOperationException(task.Phase == TaskPhase.Alive
                ? $"{task} is exiting already"
                : $"{task} is {task.Phase}");
        }
    }

    /// <summary>Ends one thread, unless somebody else has begun to.</summary>
    private bool TryExit(TaskStruct task, int exitCode, bool switchOut = true)
    {
        bool isReapedByItself;
        MmStruct? mm;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (!TakesLocked(task))
            {
                return false;
            }

            task.Flags |= TaskFlags.Exiting;
            mm = task.SwapMmLocked(null);
        }

        mm?.ReleaseCount();
        using (Run(task))
        {
            _core.Fire("sched_process_exit", task.Address);
        }

        SetFiles(task, null);

        List<TaskStruct>? victims = null;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            task.BecomeZombie(exitCode);
            task.Group.UpdateLocked();
            isReapedByItself = !task.IsLeader;
            if (!task.Group.Threads.Exists(static t => t.Phase == TaskPhase.Alive))
            {
                victims = EndOfProcessLocked(task);
            }
        }

        if (isReapedByItself)
        {
            ReleaseTask(task);
        }

        if (switchOut)
        {
            SwitchOut(task);
        }

        if (victims is not null)
        {
            EndAll(victims, task.Group);
        }

        return true;
    }

    private void EndAll(List<TaskStruct> victims, ThreadGroup by)
    {
        foreach (var victim in victims)
        {
            TryExit(victim, 9);
        }

        foreach (var victim in victims)
        {
            Reap(victim, by); // zap_pid_ns_processes waits for them
        }
    }

    /// <summary>
    /// Ends all threads of a process, the leader last; threads that others end meanwhile are left to them.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is the first process.</exception>
    public void ExitProcess(TaskStruct task, int exitCode = 0)
    {
        _core.CheckOwn(task);
        if (task.Leader == Init)
        {
            throw new InvalidOperationException("the first task must not exit");
        }

        foreach (var thread in ThreadsOf(task).Where(t => !t.IsLeader))
        {
            TryExit(thread, exitCode);
        }

        TryExit(task.Leader, exitCode);
    }

    /// <summary>The threads of a process that are not reaped, the leader first; a copy.</summary>
    public IReadOnlyList<TaskStruct> ThreadsOf(TaskStruct task)
    {
        _core.CheckOwn(task);
        using (_lock.Enter())
        {
            return [.. task.Group.Threads];
        }
    }

    /// <summary>The processes that a process made or inherited and that are not reaped; a copy.</summary>
    public IReadOnlyList<TaskStruct> ChildrenOf(TaskStruct task)
    {
        _core.CheckOwn(task);
        using (_lock.Enter())
        {
            return [.. task.Leader.Children];
        }
    }

    /// <summary>
    /// The scheduler switches away from a dead task for the last time (firing
    /// <c>sched_switch</c>) and drops its reference.
    /// </summary>
    /// <param name="task">The dead task.</param>
    /// <param name="next">Who runs on that CPU now; null for the first task.</param>
    /// <returns>False when it did so before.</returns>
    /// <exception cref="InvalidOperationException">The task is alive.</exception>
    public bool SwitchOut(TaskStruct task, TaskStruct? next = null)
    {
        _core.CheckOwn(task);
        _core.CheckOwn(next ?? Init, nameof(next));
        if (task.Phase == TaskPhase.Alive)
        {
            throw new InvalidOperationException($"{task} is alive");
        }

        if (!task.TryBeginSwitchOut())
        {
            return false;
        }

        try
        {
            _core.Fire("sched_switch", 0, task.Address, (next ?? Init).Address, TaskDead);
        }
        finally
        {
            task.SwitchOut();
        }

        return true;
    }

    /// <summary>
    /// The parent waits for a zombie: its pid is freed, and what user space saw of it drops its reference.
    /// </summary>
    /// <returns>False when there is nothing to reap: not a zombie, or threads of it are left.</returns>
    /// <remarks>What it used, and what its own children did, is its parent's children's from then on.</remarks>
    public bool Reap(TaskStruct task)
    {
        _core.CheckOwn(task);
        return Reap(task, by: null);
    }

    private bool Reap(TaskStruct task, ThreadGroup? by)
    {
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (task.Phase != TaskPhase.Zombie || !task.Group.IsOnlyLocked(task) || !_tasks.Remove(task))
            {
                return false;
            }

            // Who waits for a process is told under the lock, once, before it leaves its group.
            (by ?? task.Parent?.Group)?.WaitedForLocked(task.Group);
            LeaveLocked(task);
        }

        return task.Reap();
    }

    // Children go to the reaper of their namespace. When the reaper itself dies, the whole namespace dies with it,
    // those below it included, and is reaped. Kernel: zap_pid_ns_processes.
    private static List<TaskStruct>? EndOfProcessLocked(TaskStruct task)
    {
        var leader = task.Leader;
        var ns = leader.PidNamespace;
        var isReaper = ns.ChildReaper == leader;
        ns.IsEnded |= isReaper;
        HandOverLocked(leader, ns.HeirLocked());
        return isReaper ? InsideLocked(ns, task.Group) : null;
    }

    // Every thread of a child names its parent.
    private static void HandOverLocked(TaskStruct from, TaskStruct heir)
    {
        foreach (var child in from.Children)
        {
            heir.AddChild(child);
            child.Group.Threads.ForEach(thread => thread.SetParent(heir));
        }

        from.Children.Clear();
    }

    private static List<TaskStruct> InsideLocked(PidNamespace ns, ThreadGroup but) =>
        [.. ns.TasksLocked.Where(t => t.Group != but)];

    // A task that nobody has seen ends without a word: what was bound to its life goes with it.
    private void Abandon(TaskStruct child)
    {
        SetMm(child, null);
        SetFiles(child, null);
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            child.BecomeZombie(0);
            child.Group.UpdateLocked();
        }

        ReleaseTask(child);
        if (child.TryBeginSwitchOut())
        {
            child.SwitchOut();
        }
    }

    private bool ReleaseTask(TaskStruct task)
    {
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (task.Phase == TaskPhase.Reaped || !_tasks.Remove(task))
            {
                return false;
            }

            LeaveLocked(task);
        }

        return task.Reap();
    }

    private static void LeaveLocked(TaskStruct task)
    {
        task.ThreadPid.UnhashLocked(task);
        task.Group.LeaveLocked(task);
        task.Parent?.RemoveChild(task);
        NativeList.Remove(task.LinkAt("tasks"));
    }
}
