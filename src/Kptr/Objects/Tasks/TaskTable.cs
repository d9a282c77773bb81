using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The tasks of the modelled kernel: fork, exec, exit, reap, and finding them.</summary>
/// <remarks>
/// Safe for any number of threads. Tracepoints fire on the calling thread with no lock held. What it returns is no
/// owned reference: use <see cref="KernelRef.TryAcquire{T}"/> to keep a task.
/// </remarks>
public sealed partial class TaskTable
{
    /// <summary>No pid reaches this number (<c>pid_max</c>, here <c>PID_MAX_LIMIT</c>).</summary>
    public const int PidMax = 4 * 1024 * 1024;

    private readonly KernelCore _core;
    private readonly RankedLock _lock = new(LockRank.TaskTable);
    private readonly List<TaskStruct> _tasks = [];
    private readonly KernelStruct _rootCred;
    private uint _lastNsInum = 0xeffffffc;

    internal TaskTable(KernelCore core)
    {
        _core = core;
        InitNamespace = new(core, null, _lastNsInum);
        _rootCred = new(core, "cred", TaskFields.Cred);
        _rootCred.Put("usage.counter", 1);
        var nowNs = core.NowNs;
        using (_lock.Enter())
        {
            Init = MakeLocked(
                null, CloneFlags.None, "init", TaskPid.AllocateLocked(_core, InitNamespace, [], PidMax), nowNs);
            Init.Flags = TaskFlags.None;
        }

        SetMm(Init, new MmStruct(core));
        SetFiles(Init, new FilesStruct(core, Init.Pid));
    }

    /// <summary>The first task, pid 1. It never exits.</summary>
    public TaskStruct Init { get; }

    /// <summary>The first pid namespace.</summary>
    public PidNamespace InitNamespace { get; }

    /// <summary>
    /// The task on whose behalf this thread runs; <see cref="Init"/> unless <see cref="Run"/> says otherwise.
    /// </summary>
    public TaskStruct Current => _core.Thread.CurrentTask ?? Init;

    /// <summary>All tasks that are not reaped, in the order they were made; a copy.</summary>
    public ImmutableArray<TaskStruct> All
    {
        get
        {
            using (_lock.Enter())
            {
                return [.. _tasks];
            }
        }
    }

    /// <summary>The task with this number in the first namespace, zombies included; null if there is none.</summary>
    public TaskStruct? Find(int pid) => Find(pid, InitNamespace);

    /// <summary>The task with this number in a namespace, zombies included; null if there is none.</summary>
    public TaskStruct? Find(int pid, PidNamespace ns)
    {
        ArgumentNullException.ThrowIfNull(ns);
        using (_lock.Enter())
        {
            return ns.FindLocked(pid);
        }
    }

    /// <summary>Makes this thread run on behalf of a task until the result is disposed.</summary>
    /// <exception cref="ArgumentException">The task is another kernel's.</exception>
    public CurrentTaskScope Run(TaskStruct task)
    {
        _core.CheckOwn(task);
        return new(_core.Thread, task);
    }

    /// <summary>
    /// The next task of the first namespace gets a pid above this one; behind the last it goes on with 300, as Linux.
    /// </summary>
    public void SetLastPid(int pid)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pid);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pid, PidMax);
        using (_lock.Enter())
        {
            InitNamespace.SetLastNumber(pid);
        }
    }

    /// <summary>
    /// Asked in each fork once the child is made and before anybody sees it: true lets the fork fail, as for lack of
    /// memory. Null: none fails.
    /// </summary>
    public Func<TaskStruct, bool>? ForkFault { get; set; }

    /// <summary>
    /// Makes a new process, once the LSM hook <c>task_alloc</c> lets it; fires <c>task_newtask</c> and
    /// <c>sched_process_fork</c>.
    /// </summary>
    /// <param name="parent">Who forks.</param>
    /// <param name="comm">Its name; null inherits the parent's.</param>
    /// <param name="flags">What it shares.</param>
    /// <returns>The new task: <c>rcu_users</c> 2, <c>usage</c> 1.</returns>
    /// <exception cref="InvalidOperationException">The parent or its pid namespace has ended, the namespaces would nest
    /// too deep, or <see cref="ForkFault"/> or an LSM program said so.</exception>
    public TaskStruct Fork(TaskStruct parent, string? comm = null, CloneFlags flags = CloneFlags.None)
    {
        _core.CheckOwn(parent);
        var child = Fork(parent, comm, flags, [], startNs: null, isKthread: false);
        Announce(parent, child, flags);
        return child;
    }

    /// <summary>Makes a new process or thread that is as a trace or a test says it.</summary>
    /// <param name="parent">Who forks; for a thread, any thread of the process.</param>
    /// <param name="options">Its pid, process, start and name.</param>
    /// <returns>The new task: <c>rcu_users</c> 2, <c>usage</c> 1.</returns>
    /// <exception cref="ArgumentException">A pid is out of range, there are more than namespaces, the start lies in the
    /// future, or the process is neither the parent's nor a new one.</exception>
    /// <exception cref="InvalidOperationException">A pid is in use, or the first of a new namespace is not 1; the
    /// parent or its pid namespace has ended, the namespaces would nest too deep, or <see cref="ForkFault"/> said
    /// so.</exception>
    public TaskStruct Fork(TaskStruct parent, ForkOptions options)
    {
        _core.CheckOwn(parent);
        ArgumentNullException.ThrowIfNull(options);
        var flags = FlagsOf(parent, options);
        var child = Fork(parent, options, flags, isKthread: false);
        Announce(parent, child, flags);
        return child;
    }

    private static CloneFlags FlagsOf(TaskStruct parent, ForkOptions options)
    {
        var isThread = (options.Flags & CloneFlags.Thread) != 0;
        return options.Tgid switch
        {
            null => options.Flags,
            { } own when own == options.Pid && !isThread => options.Flags,
            { } of when of == parent.Tgid && of != options.Pid => options.Flags | CloneFlags.Thread | CloneFlags.Vm,
            _ => throw new ArgumentException(
                $"{options}: it is a process of its own, or a thread of its maker's, which is {parent.Tgid}",
                nameof(options)),
        };
    }

    private TaskStruct Fork(TaskStruct parent, ForkOptions options, CloneFlags flags, bool isKthread)
    {
        if (options.StartTimeNs is { } startNs && (startNs < 0 || startNs > _core.NowNs))
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), startNs, $"{options} starts before boot or later than now, which is {_core.NowNs} ns");
        }

        return Fork(parent, options.Comm, flags, options.Pids, options.StartTimeNs, isKthread);
    }

    private TaskStruct Fork(
        TaskStruct parent, string? comm, CloneFlags flags, ImmutableArray<int> pids, long? startNs, bool isKthread)
    {
        TaskStruct child;
        MmStruct? mm;
        FilesStruct? files;
        var bornNs = startNs ?? _core.NowNs;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            RequireAlive(parent);
            var pid = TaskPid.AllocateLocked(_core, NamespaceForLocked(parent, flags), pids, PidMax);
            child = MakeLocked(parent, flags, comm ?? parent.Comm, pid, bornNs);
            child.Flags |= isKthread ? TaskFlags.Kthread : TaskFlags.None;

            // The parent may end meanwhile: what the child gets of its memory is held from here on.
            mm = isKthread ? null : parent.Mm?.ShareLocked();
            files = isKthread ? null : parent.Files?.ShareLocked();
        }

        mm = (flags & (CloneFlags.Vm | CloneFlags.Thread)) == 0 ? mm?.CopyAndRelease() : mm;
        files = (flags & (CloneFlags.Files | CloneFlags.Thread)) == 0 ? files?.CopyAndRelease(child.Pid) : files;
        Hand(child, mm, files);
        if (ShouldFail(child))
        {
            Abandon(child);
            throw new InvalidOperationException($"the fork of {parent} fails");
        }

        return child;
    }

    private void Announce(TaskStruct parent, TaskStruct child, CloneFlags flags)
    {
        using (Run(parent))
        {
            if (Refuses(child, flags) is not Errno.None and var refusal)
            {
                throw new InvalidOperationException($"the LSM hook task_alloc refuses {child}: {refusal}");
            }

            _core.Fire("task_newtask", child.Address, (ulong)flags);
            _core.Fire("sched_process_fork", parent.Address, child.Address);
        }
    }

    /// <summary>Makes a thread of the same process.</summary>
    /// <param name="of">Any thread of the process.</param>
    /// <param name="comm">Its name; null inherits.</param>
    public TaskStruct ForkThread(TaskStruct of, string? comm = null) =>
        Fork(of, comm, CloneFlags.Thread | CloneFlags.Vm);

    /// <summary>How many.</summary>
    public override string ToString() => $"{_tasks.Count} tasks";

    /// <summary>Makes a kernel thread: it has no address space.</summary>
    public TaskStruct ForkKthread(string comm)
    {
        var task = Fork(Init, comm, CloneFlags.None, [], startNs: null, isKthread: true);
        Announce(Init, task, CloneFlags.None);
        return task;
    }

    /// <summary>
    /// Holds the tasks as they are until the result is disposed; nothing that is not ours may be called meanwhile.
    /// </summary>
    internal RankedLock.Scope Lock() => _lock.Enter();

    /// <summary>Whether a task that is alive is in a cgroup. Nobody forks into it or leaves it meanwhile.</summary>
    internal bool IsPopulated(Cgroup cgroup)
    {
        using (_lock.Enter())
        {
            return _tasks.Any(t => t.Phase == TaskPhase.Alive && t.Cgroup == cgroup);
        }
    }

    /// <summary>Moves the live threads of a process to a css set.</summary>
    /// <returns>The sets that they left: give their references back once no lock is held.</returns>
    internal List<CssSet> MoveProcess(TaskStruct task, CssSet set)
    {
        List<CssSet> left = [];
        using (_lock.Enter())
        {
            foreach (var thread in task.Group.Threads.Where(t => t.Phase == TaskPhase.Alive))
            {
                if (thread.SwapCssSetLocked(set) is { } old)
                {
                    left.Add(old);
                }
            }
        }

        return left;
    }

    private void SetMm(TaskStruct task, MmStruct? mm) => Set(task, mm, static (of, made) => of.SwapMmLocked(made));

    private void SetFiles(TaskStruct task, FilesStruct? files) =>
        Set(task, files, static (of, made) => of.SwapFilesLocked(made));

    // Hands a task something counted, or takes it away; what it had, or cannot take any more, is given back.
    private void Set<T>(TaskStruct task, T? made, Func<TaskStruct, T?, T?> swapLocked)
        where T : KernelObject
    {
        T? old;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            old = made is null || TakesLocked(task) ? swapLocked(task, made) : made;
        }

        old?.ReleaseCount();
    }

    // Hands a child what its maker had counted for it; null for what it does not get, and has not.
    private void Hand(TaskStruct child, MmStruct? mm, FilesStruct? files)
    {
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (TakesLocked(child))
            {
                child.SwapMmLocked(mm);
                child.SwapFilesLocked(files);
                return;
            }
        }

        mm?.ReleaseCount();
        files?.ReleaseCount();
    }

    // One that exits meanwhile takes nothing that is counted: nobody would give it back.
    private static bool TakesLocked(TaskStruct task) =>
        task.Phase == TaskPhase.Alive && (task.Flags & TaskFlags.Exiting) == 0;

    // A child that nobody has seen must not stay behind when the question itself fails.
    private bool ShouldFail(TaskStruct child)
    {
        LockOrder.CallingOut("a fork fault");
        try
        {
            return ForkFault?.Invoke(child) == true;
        }
        catch
        {
            Abandon(child);
            throw;
        }
    }

    // As above; security_task_alloc comes before the child is seen.
    private Errno Refuses(TaskStruct child, CloneFlags flags)
    {
        var refusal = Errno.EPERM;
        try
        {
            refusal = (Errno)_core.CallHook("task_alloc", child.Address, (ulong)flags);
            return refusal;
        }
        finally
        {
            if (refusal != Errno.None)
            {
                Abandon(child);
            }
        }
    }

    private static void RequireAlive(TaskStruct task)
    {
        if (task.Phase != TaskPhase.Alive)
        {
            throw new InvalidOperationException($"{task} is {task.Phase}");
        }

        if (task.Pid == 0)
        {
            throw new InvalidOperationException($"{task} is an idle task");
        }
    }

    private PidNamespace NamespaceForLocked(TaskStruct parent, CloneFlags flags)
    {
        for (var ns = parent.PidNamespace; ns is not null; ns = ns.Parent)
        {
            if (ns.IsEnded)
            {
                throw new InvalidOperationException($"the {ns} ends");
            }
        }

        if ((flags & CloneFlags.NewPid) == 0)
        {
            return parent.PidNamespace;
        }

        return (flags & CloneFlags.Thread) != 0
            ? throw new InvalidOperationException("a thread stays in its process's namespace")
            : parent.PidNamespace.Level + 1 >= TaskFields.PidLevelsMax
                ? throw new InvalidOperationException("pid namespaces nest too deep")
            : new PidNamespace(_core, parent.PidNamespace, --_lastNsInum);
    }

    private TaskStruct MakeLocked(TaskStruct? maker, CloneFlags flags, string comm, TaskPid pid, long startNs)
    {
        var isThread = (flags & CloneFlags.Thread) != 0;
        var group = isThread ? maker!.Group : new ThreadGroup(_core);
        var task = new TaskStruct(_core, pid, group, comm, startNs);
        group.Leader ??= task;
        task.SetGroup(group, group.Leader.Pid);
        var parent = isThread ? maker!.Parent : maker?.Leader;
        task.SetParent(parent);
        task.SetCred(maker?.Get("cred") ?? _rootCred.Address);
        task.SwapCssSetLocked(maker?.CssSet ?? _core.Cgroups.Root.CssSet);
        task.ExitSignal = isThread ? TaskStruct.NoSignal : maker is null ? 0 : TaskStruct.ChildSignal;
        task.Flags = TaskFlags.ForkNoExec | ((maker?.Flags ?? 0) & TaskFlags.Kthread);
        if (!isThread)
        {
            parent?.AddChild(task);
            if (Init is { } first)
            {
                NativeList.AddTail(first.LinkAt("tasks"), task.LinkAt("tasks"));
            }
        }

        group.JoinLocked(task);
        _tasks.Add(task);
        pid.HashLocked(task);
        task.Publish();
        return task;
    }
}
