namespace Kptr.Objects;

// Kernel: begin_new_exec and de_thread (fs/exec.c, 6.12).
public sealed partial class TaskTable
{
    /// <summary>A thread executes a program; fires <c>sched_process_exec</c>.</summary>
    /// <param name="task">The thread.</param>
    /// <param name="comm">The new name.</param>
    /// <remarks>
    /// All other threads of the process end. If the thread did not lead, it takes the leader's place and the
    /// leader's pid; the old leader's <c>task_struct</c> is another object, reaped on the way, and who
    /// pinned it pins a dead task.
    /// </remarks>
    /// <exception cref="InvalidOperationException">It is not alive, a thread of its process executes a program
    /// already, or it would take the place of <see cref="Init"/>, on which all others hang.</exception>
    public void Exec(TaskStruct task, string comm)
    {
        _core.CheckOwn(task);
        ArgumentNullException.ThrowIfNull(comm);
        var others = BeginExec(task);
        try
        {
            var oldPid = task.Pid;
            foreach (var thread in others)
            {
                if (!thread.IsLeader)
                {
                    TryExit(thread, 9);
                }
            }

            if (!task.IsLeader)
            {
                TakeLeadership(task);
            }

            var mm = task.Mm is null && (task.Flags & TaskFlags.Kthread) != 0 ? null : new MmStruct(_core);
            if (Renew(task, mm, comm) is { } shared)
            {
                SetFiles(task, shared.CopyAndRelease(task.Tgid));
            }

            using (Run(task))
            {
                _core.Fire("sched_process_exec", task.Address, (ulong)oldPid, 0);
            }
        }
        finally
        {
            using (_lock.Enter())
            {
                task.Group.ExecTask = null;
            }
        }
    }

    // Its new address space and name. A process that shares its files with another is to get a copy (unshare_files):
    // the result, with a count. A kernel thread that executes a program becomes a process and gets a table; Linux has
    // it share an empty one of init's before.
    private FilesStruct? Renew(TaskStruct task, MmStruct? mm, string comm)
    {
        MmStruct? old;
        FilesStruct? shared;
        bool hasOwn;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            old = mm is null || TakesLocked(task) ? task.SwapMmLocked(mm) : mm;
            hasOwn = task.Files is { LiveCount: 1 };
            shared = hasOwn ? null : task.Files?.ShareLocked();
            task.Comm = comm;
            task.ExitSignal = TaskStruct.ChildSignal;
            task.Flags &= ~TaskFlags.ForkNoExec;
        }

        old?.ReleaseCount();
        if (!hasOwn && shared is null)
        {
            SetFiles(task, new FilesStruct(_core, task.Tgid));
        }

        return shared;
    }

    // One thread of a process at a time; Linux lets the second wait to be killed (signal->group_exec_task).
    private TaskStruct[] BeginExec(TaskStruct task)
    {
        using (_lock.Enter())
        {
            RequireAlive(task);
            if ((task.Flags & TaskFlags.Exiting) != 0 || task.Group.ExecTask is not null)
            {
                throw new InvalidOperationException($"{task} is ended by another thread");
            }

            if (task.Leader == Init && task != Init)
            {
                throw new InvalidOperationException($"{task} cannot take the place of {Init}");
            }

            task.Group.ExecTask = task;
            return task.Group.IsOnlyLocked(task) ? [] : task.Group.OthersLocked(task);
        }
    }

    private void TakeLeadership(TaskStruct task)
    {
        var leader = task.Leader;
        TryExit(leader, 9);
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            RequireAlive(task);

            // The pids change places, so that the new leader has the process's number and the old
            // one dies with the thread's.
            var (leaderPid, ownPid) = (leader.ThreadPid, task.ThreadPid);
            leader.SetPid(ownPid);
            task.SetPid(leaderPid);
            leaderPid.HashLocked(task);
            ownPid.HashLocked(leader);
            leader.PidNamespace.ReplaceReaperLocked(leader, task);
            var group = task.Group;
            group.Leader = task;
            task.SetGroup(group, task.Pid);
            leader.SetGroup(group, task.Pid);
            leader.ExitSignal = TaskStruct.NoSignal;
            group.Threads.Remove(task);
            group.Threads.Insert(0, task);
            InheritLocked(leader, task);
            NativeList.Replace(leader.LinkAt("tasks"), task.LinkAt("tasks"));
        }

        ReleaseTask(leader);
    }

    // What hung on the old leader hangs on the new one: its place among its parent's children, and its own children.
    private static void InheritLocked(TaskStruct leader, TaskStruct task)
    {
        if (leader.Parent?.Children is { } siblings && siblings.IndexOf(leader) is >= 0 and var at)
        {
            siblings[at] = task;
            NativeList.Replace(leader.LinkAt("sibling"), task.LinkAt("sibling"));
        }

        HandOverLocked(leader, task);
    }
}
