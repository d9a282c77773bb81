namespace Kptr.Objects;

/// <summary>A thread of the modelled kernel.</summary>
/// <remarks>
/// Two counts. <c>rcu_users</c> (<see cref="KernelObject.Count"/>) is what <c>bpf_task_acquire</c> moves: 2 at fork,
/// one for what user space sees until the task is reaped, one for the scheduler until it has switched away from the
/// dead task for the last time. <c>usage</c> is 1 for all <c>rcu_users</c> together. When <c>rcu_users</c> reaches
/// zero, an RCU callback (<c>delayed_put_task_struct</c>) drops that 1 and the task is freed. Kernel:
/// <c>kernel/fork.c</c>, <c>kernel/exit.c</c> (6.12).
/// </remarks>
public sealed class TaskStruct : KernelObject
{
    internal const int ChildSignal = 17; // SIGCHLD
    internal const int NoSignal = -1;
    private readonly RefCount _usage;
    private volatile bool _isReaped;
    private volatile bool _isSwitchedOut;
    private volatile bool _isZombie;
    private int _isReapClaimed;
    private int _isSwitchClaimed;

    internal TaskStruct(KernelCore core, TaskPid pid, ThreadGroup group, string comm, long startNs)
        : base(core, core.LayoutOf("task_struct", TaskFields.Task), TaskFields.RcuUsers)
    {
        ThreadPid = pid;
        Group = group;
        Count.Set(2);
        _usage = new RefCount(Address + (ulong)Layout.Field(TaskFields.Usage).OffsetBytes, this);
        _usage.Set(1);
        foreach (var link in TaskFields.TaskLinks)
        {
            NativeList.Init(LinkAt(link));
        }

        Put("pid", (ulong)pid.Global);
        Put("thread_pid", pid.Address);
        Put("signal", group.SignalAddress);
        Put("nsproxy", pid.Namespace.NsproxyAddress);
        Put("start_time", (ulong)startNs);
        Put("start_boottime", (ulong)startNs);
        Put("prio", 120);
        Put("static_prio", 120);
        Put("normal_prio", 120);
        SetCpus(core.AllCpus);
        Comm = comm;
    }

    /// <summary>The number in the first namespace.</summary>
    public int Pid => ThreadPid.Global;

    /// <summary>The process's number: the leader's <see cref="Pid"/>.</summary>
    public int Tgid => (int)Get("tgid");

    /// <summary>Name, at most 15 bytes.</summary>
    public string Comm
    {
        get => GetString("comm");
        internal set => KernelMemory.PutString(Address, Layout.Field("comm"), value);
    }

    /// <summary>Where it is in its life.</summary>
    public TaskPhase Phase =>
        IsFreed ? TaskPhase.Freed : _isReaped ? TaskPhase.Reaped : _isZombie ? TaskPhase.Zombie : TaskPhase.Alive;

    /// <summary>The leader of its process; itself for a leader.</summary>
    public TaskStruct Leader => Group.Leader!;

    /// <summary>Whether it leads its process.</summary>
    public bool IsLeader => Group.Leader == this;

    /// <summary>
    /// Its parent process's leader; after the parent's death whoever inherited it. Null for the first task.
    /// </summary>
    public TaskStruct? Parent { get; private set; }

    /// <summary>Its innermost pid namespace.</summary>
    public PidNamespace PidNamespace => ThreadPid.Namespace;

    /// <summary>Its cgroup in the v2 tree.</summary>
    public Cgroup Cgroup => CssSet!.Cgroup;

    /// <summary>Its address space; null for kernel threads and after exit.</summary>
    public MmStruct? Mm { get; private set; } // changed under the table's lock

    /// <summary>Its open files; null for kernel threads and after exit.</summary>
    public FilesStruct? Files { get; private set; } // changed under the table's lock

    /// <summary>CPU time spent in user mode.</summary>
    public long UserTimeNs => (long)Get("utime");

    /// <summary>CPU time spent in the kernel.</summary>
    public long SystemTimeNs => (long)Get("stime");

    /// <summary>When it was forked, in nanoseconds since boot.</summary>
    public long StartTimeNs => (long)Get("start_time");

    /// <summary>CPU time that this thread used (<c>utime</c>, <c>stime</c>, <c>se.sum_exec_runtime</c>).</summary>
    public CpuTime CpuTime => Asked(static t => t.CpuTimeLocked, "utime");

    /// <summary>
    /// CPU time that its process used: of all threads, those that ended too (<c>thread_group_cputime</c>).
    /// </summary>
    public CpuTime ProcessCpuTime => Asked(static t => t.Group.UsedLocked(), "signal");

    /// <summary>
    /// CPU time of its process's children that ended and were reaped, and of theirs (<c>signal->cutime</c> and
    /// <c>cstime</c>).
    /// </summary>
    public CpuTime ChildrenCpuTime => Asked(static t => t.Group.OfChildrenLocked(), "signal");

    /// <summary><c>task->flags</c>.</summary>
    public TaskFlags Flags
    {
        get => (TaskFlags)Get("flags");
        internal set => Put("flags", (ulong)value);
    }

    /// <summary>The signal that its end sends its parent; <see cref="NoSignal"/> of a thread.</summary>
    internal int ExitSignal
    {
        get => (int)Get("exit_signal");
        set => Put("exit_signal", (uint)value);
    }

    /// <summary>Wait status as the parent will see it.</summary>
    public int ExitCode => (int)Get("exit_code");

    /// <summary>
    /// The count that is 1 for all <c>rcu_users</c> together (<c>task->usage</c>); zero once the task is freed.
    /// </summary>
    public RefCount Usage => _usage;

    internal TaskPid ThreadPid { get; set; }

    internal ThreadGroup Group { get; set; }

    internal CssSet? CssSet { get; private set; } // changed under the table's lock, while the task is alive

    internal List<TaskStruct> Children { get; } = [];

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders()
    {
        if (!_isReaped)
        {
            yield return new KernelHolder("visible until reaped");
        }

        if (!_isSwitchedOut)
        {
            yield return new KernelHolder("scheduler");
        }
    }

    private protected override bool HasIntrinsicHolders => !_isReaped || !_isSwitchedOut;

    /// <summary>The number that a namespace sees; 0 where it does not see the task.</summary>
    public int PidIn(PidNamespace ns) => ThreadPid.NumberIn(ns);

    /// <summary>Accounts CPU time to the task and its cgroup, in steps of 100 ns.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A time is negative or more than 2^63 - 1 ns.</exception>
    public void AddCpuTime(TimeSpan user, TimeSpan system)
    {
        const long NsPerTick = 100;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(user.Ticks, long.MaxValue / NsPerTick, nameof(user));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(system.Ticks, long.MaxValue / NsPerTick, nameof(system));
        AddCpuTime(user.Ticks * NsPerTick, system.Ticks * NsPerTick);
    }

    /// <summary>Accounts CPU time to the task and to the cgroup that it is in now.</summary>
    /// <param name="userNs">Time in user mode; also time of which the kernel's share is not known.</param>
    /// <param name="systemNs">Time in the kernel.</param>
    /// <remarks>
    /// What the task used before stays where it was accounted when the task moves to another cgroup. A dead task may
    /// still use time, until it is freed. Kernel: <c>account_user_time</c>, <c>account_system_time</c>,
    /// <c>cgroup_account_cputime</c> (kernel/sched/cputime.c, 6.12).
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">A time is negative.</exception>
    public void AddCpuTime(long userNs, long systemNs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(userNs);
        ArgumentOutOfRangeException.ThrowIfNegative(systemNs);
        if (!MayWrite("utime"))
        {
            return;
        }

        using (Core.Tasks.Lock())
        {
            if (!IsFreed)
            {
                AddLocked("utime", userNs);
                AddLocked("stime", systemNs);
                AddLocked("se.sum_exec_runtime", userNs + systemNs);
                Core.Cgroups.ChargeLocked(Cgroup, new(userNs, systemNs));
            }
        }
    }

    /// <summary>Sets which CPUs it may run on (<c>cpus_mask</c>, to which <c>cpus_ptr</c> points).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The kernel's masks have no such CPU.</exception>
    public void SetCpus(IEnumerable<int> cpus)
    {
        ArgumentNullException.ThrowIfNull(cpus);
        SetCpus(CheckCpus(cpus));
    }

    // Each once, and in range.
    private int[] CheckCpus(IEnumerable<int> cpus)
    {
        var bits = Layout.Field("cpus_mask").SizeBytes * 8;
        var all = cpus.Distinct().ToArray();
        return Array.TrueForAll(all, cpu => cpu >= 0 && cpu < bits) ? all
            : throw new ArgumentOutOfRangeException(nameof(cpus), $"CPUs are 0 to {bits - 1}");
    }

    private unsafe void SetCpus(int[] all)
    {
        var mask = Layout.Field("cpus_mask");
        if (!MayWrite("cpus_mask"))
        {
            return;
        }

        var bits = new Span<byte>((byte*)Address + mask.OffsetBytes, mask.SizeBytes);
        bits.Clear();
        foreach (var cpu in all)
        {
            bits[cpu / 8] |= (byte)(1 << (cpu % 8));
        }

        Put("nr_cpus_allowed", (ulong)all.Length);
        Put("cpus_ptr", Address + (ulong)mask.OffsetBytes);
    }

    /// <summary>Gives the task credentials of its own, which its children inherit; tasks start as root.</summary>
    public void SetUser(uint uid, uint gid)
    {
        if (!MayWrite("cred"))
        {
            return;
        }

        var cred = new KernelStruct(Core, "cred", TaskFields.Cred);
        cred.Put("usage.counter", 1);
        foreach (var (field, value) in new[] { ("uid", uid), ("euid", uid), ("suid", uid), ("fsuid", uid), ("gid",
            gid), ("egid", gid), ("sgid", gid), ("fsgid", gid) })
        {
            cred.Put($"{field}.val", value);
        }

        SetCred(cred.Address);
    }

    /// <summary>Type, pid and name.</summary>
    public override string ToString()
    {
        if (ThreadPid is not { } pid)
        {
            return base.ToString(); // half built
        }

        // A task that is freed while it is put into words is no fault of who asked for them.
        var comm = KernelMemory.GetString(Address, Layout.Field("comm"));
        Volatile.ReadBarrier();
        return IsFreed ? $"task_struct pid {pid.Global} (freed)" : $"task_struct pid {pid.Global} \"{comm}\"";
    }

    /// <summary>Address of one of <see cref="TaskFields.TaskLinks"/>.</summary>
    internal ulong LinkAt(string path) => Address + (ulong)Layout.Field(path).OffsetBytes;

    /// <summary>Takes a process in among its children.</summary>
    internal void AddChild(TaskStruct child)
    {
        Children.Add(child);
        NativeList.Remove(child.LinkAt("sibling"));
        NativeList.AddTail(LinkAt("children"), child.LinkAt("sibling"));
    }

    internal void RemoveChild(TaskStruct child)
    {
        if (Children.Remove(child))
        {
            NativeList.Remove(child.LinkAt("sibling"));
        }
    }

    /// <summary>What it used; caller holds the table's lock. Not by Get, which may report.</summary>
    internal CpuTime CpuTimeLocked => new(
        (long)KernelMemory.Get(Address, Layout.Field("utime")), (long)KernelMemory.Get(Address, Layout.Field("stime")));

    // Not by Put, which may report: nobody is called under the lock.
    private void AddLocked(string path, long timeNs)
    {
        var field = Layout.Field(path);
        KernelMemory.Put(Address, field, KernelMemory.Get(Address, field) + (ulong)timeNs);
    }

    private CpuTime Asked(Func<TaskStruct, CpuTime> ask, string path)
    {
        CpuTime used;
        using (Core.Tasks.Lock())
        {
            used = ask(this);
        }

        return IsReadTooLate(path) ? default : used;
    }

    internal void SetParent(TaskStruct? parent)
    {
        Parent = parent;
        Put("real_parent", parent?.Address ?? Address);
        Put("parent", parent?.Address ?? Address);
    }

    internal void SetCred(ulong cred)
    {
        Put("cred", cred);
        Put("real_cred", cred);
    }

    internal void SetGroup(ThreadGroup group, int tgid)
    {
        Group = group;
        Put("signal", group.SignalAddress);
        Put("tgid", (ulong)tgid);
        Put("group_leader", group.Leader?.Address ?? Address);
    }

    internal void SetPid(TaskPid pid)
    {
        ThreadPid = pid;
        Put("thread_pid", pid.Address);
        Put("pid", (ulong)pid.Global);
    }

    /// <summary>Takes over a counted address space.</summary>
    /// <returns>The one before, whose count is the caller's to give back after leaving the table's lock.</returns>
    internal MmStruct? SwapMmLocked(MmStruct? mm)
    {
        var old = Mm;
        Mm = mm;
        Put("mm", mm?.Address ?? 0);
        return old;
    }

    /// <summary>Takes over a counted table of open files.</summary>
    /// <returns>The one before, whose count is the caller's to give back after leaving the table's lock.</returns>
    internal FilesStruct? SwapFilesLocked(FilesStruct? files)
    {
        var old = Files;
        Files = files;
        Put("files", files?.Address ?? 0);
        return old;
    }

    /// <summary>Moves to another css set, taking a reference on it.</summary>
    /// <returns>The one before, whose reference is the caller's to give back after leaving the table's lock.</returns>
    internal CssSet? SwapCssSetLocked(CssSet set)
    {
        var old = CssSet;
        set.Join(this);
        CssSet = set;
        Put("cgroups", set.Address);
        return old;
    }

    /// <summary>Is in a css set without being among its tasks, as idle tasks are.</summary>
    internal void StayIn(CssSet set)
    {
        set.Get();
        CssSet = set;
        Put("cgroups", set.Address);
    }

    internal void BecomeZombie(int exitCode)
    {
        Put("exit_code", (ulong)exitCode);
        Put("exit_state", 0x20);
        CssSet?.MoveToDying(this);
        _isZombie = true;
    }

    /// <summary>Drops the reference of what user space sees; false when that was done before.</summary>
    internal bool Reap()
    {
        if (Interlocked.Exchange(ref _isReapClaimed, 1) != 0)
        {
            return false;
        }

        _isReaped = true;
        Put("exit_state", 0x10);
        CssSet?.MoveOut(this);
        ReleaseCount();
        return true;
    }

    /// <summary>Claims the switch away from the dead task, for one caller; <see cref="SwitchOut"/> follows.</summary>
    internal bool TryBeginSwitchOut() => Interlocked.Exchange(ref _isSwitchClaimed, 1) == 0;

    /// <summary>Drops the scheduler's reference.</summary>
    internal void SwitchOut()
    {
        _isSwitchedOut = true;
        Put("__state", 0x80);
        ReleaseCount();
    }

    /// <summary>Gives back one <c>usage</c> reference (<c>put_task_struct</c>).</summary>
    internal void PutUsage()
    {
        if (_usage.DecAndTest() == RefCountOutcome.Zero)
        {
            Free();
        }
    }

    /// <inheritdoc/>
    protected override void OnLastRelease() =>
        Core.Rcu.Call(static o => ((TaskStruct)o).DelayedPut(), this, "delayed_put_task_struct");

    /// <inheritdoc/>
    protected override void OnFree()
    {
        Core.CallHook("task_free", Address);
        CssSet?.Put();
        Group.Put();
        ThreadPid.Free();
    }

    private void DelayedPut()
    {
        Core.Fire("sched_process_free", Address);
        PutUsage();
    }
}
