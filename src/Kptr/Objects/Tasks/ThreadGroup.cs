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

    internal void LeaveLocked(TaskStruct task)
    {
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

    /// <summary>Adds what a dead thread used to the process's account.</summary>
    internal void AccountLocked(TaskStruct task)
    {
        _signal.Put("utime", _signal.Get("utime") + (ulong)task.UserTimeNs);
        _signal.Put("stime", _signal.Get("stime") + (ulong)task.SystemTimeNs);
    }

    internal void UpdateLocked()
    {
        _signal.Put("nr_threads", (ulong)Threads.Count);
        _signal.Put("live.counter", (ulong)Threads.Count(t => t.Phase == TaskPhase.Alive));
        _signal.Put("sigcnt.refs.counter", (ulong)Volatile.Read(ref _users));
    }
}
