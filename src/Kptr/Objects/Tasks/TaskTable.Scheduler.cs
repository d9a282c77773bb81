namespace Kptr.Objects;

// What the scheduler knows beside the tasks that were forked. Kernel: init_idle (kernel/sched/core.c), __set_task_comm
// (fs/exec.c), 6.12.
public sealed partial class TaskTable
{
    private readonly Dictionary<int, TaskStruct> _idle = [];

    /// <summary>The task that a CPU runs when it has nothing to do: pid 0, <c>swapper/CPU</c>.</summary>
    /// <param name="cpu">From 0.</param>
    /// <remarks>
    /// Nobody has forked it, it is in no list and under no number, and it never exits. Made when it is first asked for.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The kernel has no such CPU.</exception>
    public TaskStruct IdleOf(int cpu)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(cpu);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(cpu, _core.CpuCount);
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            return _idle.TryGetValue(cpu, out var made) ? made : _idle[cpu] = MakeIdleLocked(cpu);
        }
    }

    /// <summary>
    /// Makes a task that was there before anybody watched: as <see cref="Fork(TaskStruct, ForkOptions)"/> does, but no
    /// tracepoint fires.
    /// </summary>
    /// <param name="parent">Its parent, or any thread of its process.</param>
    /// <param name="options">Its pid, process, start and name.</param>
    /// <param name="isKthread">Whether it is a kernel thread, as its children are then.</param>
    /// <exception cref="ArgumentException">As for a fork.</exception>
    /// <exception cref="InvalidOperationException">As for a fork.</exception>
    public TaskStruct Adopt(TaskStruct parent, ForkOptions options, bool isKthread = false)
    {
        _core.CheckOwn(parent);
        ArgumentNullException.ThrowIfNull(options);
        return Fork(parent, options, FlagsOf(parent, options), isKthread);
    }

    /// <summary>A task takes another name (<c>prctl(PR_SET_NAME)</c>); fires <c>task_rename</c>.</summary>
    /// <param name="task">Which.</param>
    /// <param name="comm">The new name, of which 15 bytes are kept.</param>
    /// <exception cref="InvalidOperationException">It is not alive.</exception>
    public void Rename(TaskStruct task, string comm)
    {
        _core.CheckOwn(task);
        ArgumentNullException.ThrowIfNull(comm);
        if (task.Phase != TaskPhase.Alive)
        {
            throw new InvalidOperationException($"{task} is {task.Phase}");
        }

        // The tracepoint comes before the change, and points at the new name.
        var name = _core.Heap.AllocateBlock("new name of a task", CommBytes);
        try
        {
            KernelMemory.PutString(name, new(0, CommBytes), comm);
            _core.Fire("task_rename", task.Address, name);
            using (_lock.Enter())
            {
                task.Comm = comm;
            }
        }
        finally
        {
            _core.Heap.TryFree(name);
        }
    }

    private const int CommBytes = 16;

    private TaskStruct MakeIdleLocked(int cpu)
    {
        var group = new ThreadGroup(_core);
        var task = new TaskStruct(_core, TaskPid.OfIdle(_core, InitNamespace), group, $"swapper/{cpu}", 0);
        group.Leader = task;
        task.SetGroup(group, 0);
        task.SetParent(null);
        task.SetCred(_rootCred.Address);
        task.SetCpus([cpu]);
        task.StayIn(_core.Cgroups.Root.CssSet);
        task.Flags = TaskFlags.Kthread;
        group.JoinLocked(task);
        task.Publish();
        return task;
    }
}
