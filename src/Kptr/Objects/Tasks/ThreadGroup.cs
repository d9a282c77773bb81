namespace Kptr.Objects;

/// <summary>What the threads of one process share. Changed under the table's lock.</summary>
internal sealed class ThreadGroup
{
    private readonly KernelStruct _signal;
    private int _users;

    internal ThreadGroup(KernelCore core)
    {
        _signal = new(core, "signal_struct", TaskFields.Signal);
        NativeList.Init(ThreadHead);
    }

    internal ulong SignalAddress => _signal.Address;

    /// <summary>Threads that are not reaped, the leader first.</summary>
    internal List<TaskStruct> Threads { get; } = [];

    internal TaskStruct? Leader { get; set; }

    /// <summary>The thread that executes a program now, which ends all others; null for none.</summary>
    internal TaskStruct? ExecTask { get; set; }

    private ulong ThreadHead => _signal.Address + (ulong)_signal.Layout.Field("thread_head").OffsetBytes;

    internal void JoinLocked(TaskStruct task)
    {
        Threads.Add(task);
        NativeList.AddTail(ThreadHead, task.LinkAt("thread_node"));
        Interlocked.Increment(ref _users);
        UpdateLocked();
    }

    /// <summary>A thread is released: what it used goes to the process. Kernel: <c>__exit_signal</c>.</summary>
    internal void LeaveLocked(TaskStruct task)
    {
        var used = task.CpuTimeLocked;
        AddTo("utime", "stime", used);
        Put("sum_sched_runtime", Get("sum_sched_runtime") + used.TotalNs);
        Threads.Remove(task);
        NativeList.Remove(task.LinkAt("thread_node"));
        UpdateLocked();
    }

    /// <summary>A thread's <c>task_struct</c> is freed; with the last one <c>signal_struct</c> goes.</summary>
    internal void Put()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            _signal.Free();
        }
        else
        {
            _signal.Put("sigcnt.refs.counter", (ulong)Math.Max(0, Volatile.Read(ref _users)));
        }
    }

    /// <summary>
    /// What its threads used, released ones included (<c>thread_group_cputime</c>). Zero once it is freed.
    /// </summary>
    internal CpuTime UsedLocked()
    {
        if (IsFreed)
        {
            return default;
        }

        var sum = new CpuTime(Get("utime"), Get("stime"));
        foreach (var thread in Threads)
        {
            sum += thread.CpuTimeLocked;
        }

        return sum;
    }

    /// <summary>Whether nobody else is of the process any more.</summary>
    internal bool IsOnlyLocked(TaskStruct task) => Threads.Count == 0 || (Threads.Count == 1 && Threads[0] == task);

    /// <summary>What children that were waited for used, theirs included. Zero once it is freed.</summary>
    internal CpuTime OfChildrenLocked() => IsFreed ? default : new(Get("cutime"), Get("cstime"));

    /// <summary>
    /// A process is waited for: what it and its own children used goes to this one. Kernel: <c>wait_task_zombie</c>.
    /// </summary>
    internal void WaitedForLocked(ThreadGroup child) =>
        AddTo("cutime", "cstime", child.UsedLocked() + child.OfChildrenLocked());

    internal TaskStruct[] OthersLocked(TaskStruct task) => [.. Threads.Where(t => t != task)];

    internal void UpdateLocked()
    {
        _signal.Put("nr_threads", (ulong)Threads.Count);
        _signal.Put("live.counter", (ulong)LiveLocked());
        _signal.Put("sigcnt.refs.counter", (ulong)Volatile.Read(ref _users));
    }

    private int LiveLocked()
    {
        var live = 0;
        foreach (var thread in Threads)
        {
            live += thread.Phase == TaskPhase.Alive ? 1 : 0;
        }

        return live;
    }

    private bool IsFreed => Volatile.Read(ref _users) == 0;

    private long Get(string path) => (long)_signal.Get(path);

    private void Put(string path, long value) => _signal.Put(path, (ulong)value);

    private void AddTo(string user, string system, CpuTime used)
    {
        Put(user, Get(user) + used.UserNs);
        Put(system, Get(system) + used.SystemNs);
    }
}
