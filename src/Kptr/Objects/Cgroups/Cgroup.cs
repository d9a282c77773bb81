namespace Kptr.Objects;

/// <summary>A cgroup of the v2 tree.</summary>
/// <remarks>
/// Its count is that of its css. One reference belongs to the cgroup being online and goes with
/// <see cref="CgroupTree.Remove"/>; each child and each css set (so: the tasks in it) has another. At zero the cgroup
/// is released by a work item and freed after a grace period, and drops its reference on the parent. Kernel:
/// <c>kernel/cgroup/cgroup.c</c> (6.12).
/// </remarks>
public sealed class Cgroup : KernelObject
{
    private const string CountField = "self.refcnt.count";
    private const int AncestorsMax = 32;
    private const int NameBytesMax = 64;
    private static readonly FieldSpec[] Fields =
    [
        FieldSpec.Count(CountField), new("level", 4), new("kn", 8), new("self.flags", 4), new("self.cgroup", 8),
        new("self.parent", 8), new("self.id", 4),
        new("self.serial_nr", 8), new("self.online_cnt.counter", 4), new("dom_cgrp", 8),
        new("bstat.cputime.utime", 8), new("bstat.cputime.stime", 8), new("bstat.cputime.sum_exec_runtime", 8),
        FieldSpec.Link("self.children"), FieldSpec.Link("self.sibling"),
        .. Enumerable.Range(0, AncestorsMax).Select(i => new FieldSpec($"ancestors[{i}]", 8)),
    ];

    private static readonly FieldSpec[] NodeFields = [new("id", 8), new("name", 8), new("parent", 8), new(
        "count.counter", 4)];
    private readonly KernelStruct _node;
    private volatile bool _isOnline = true;
    private volatile bool _isReleased;
    private int _childCount;

    internal Cgroup(KernelCore core, Cgroup? parent, string name, ulong id)
        : base(core, core.LayoutOf("cgroup", Fields, flexBytes: 8 * AncestorsMax), CountField)
    {
        Parent = parent;
        Name = name;
        Id = id;
        Level = parent is null ? 0 : parent.Level + 1;
        _node = new(core, "kernfs_node", NodeFields, NameBytesMax);
        CssSet = new CssSet(this);
        FillNode();
        FillSelf();
        Publish();
    }

    /// <summary>The cgroup above; null for the root.</summary>
    public Cgroup? Parent { get; }

    /// <summary>The name of its directory; empty for the root.</summary>
    public string Name { get; }

    /// <summary>The 64-bit id that <c>bpf_get_current_cgroup_id</c> gives; 1 for the root.</summary>
    public ulong Id { get; }

    /// <summary>How deep it is; 0 for the root.</summary>
    public int Level { get; }

    /// <summary>From the root, with slashes.</summary>
    public string Path => Parent is null ? "/" : Parent.Parent is null ? "/" + Name : $"{Parent.Path}/{Name}";

    /// <summary>
    /// Whether its directory exists. Offline ones can still be acquired while somebody has a reference.
    /// </summary>
    public bool IsOnline => _isOnline;

    /// <summary>Whether its last reference is gone.</summary>
    public bool IsReleased => _isReleased;

    /// <summary>
    /// CPU time that tasks used in it and below it while they were there (<c>cpu.stat</c>); of the root, what all
    /// tasks used.
    /// </summary>
    /// <remarks>
    /// Tasks that move away or end, and cgroups below that are removed, leave behind what they used. Kernel:
    /// <c>cgroup_base_stat_cputime_show</c> (kernel/cgroup/rstat.c, 6.12).
    /// </remarks>
    public CpuTime CpuTime
    {
        get
        {
            var used = Core.Cgroups.CpuTimeOf(this);
            return IsReadTooLate("bstat") ? default : used;
        }
    }

    internal CssSet CssSet { get; }

    internal ulong NodeAddress => _node.Address;

    /// <summary>Whether somebody has begun to remove it. Changed under the tree's lock.</summary>
    internal bool IsRemoved { get; set; }

    internal List<Cgroup> Children { get; } = [];

    /// <summary>
    /// The ancestor at a level, itself included; null above its own level or below zero. No reference is taken.
    /// </summary>
    public Cgroup? AncestorAt(int level)
    {
        if (level < 0 || level > Level)
        {
            return null;
        }

        var at = this;
        while (at.Level > level)
        {
            at = at.Parent!;
        }

        return at;
    }

    /// <summary>Whether it is this cgroup or below it.</summary>
    public bool IsUnder(Cgroup ancestor)
    {
        ArgumentNullException.ThrowIfNull(ancestor);
        return AncestorAt(ancestor.Level) == ancestor;
    }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders()
    {
        if (_isOnline)
        {
            yield return new KernelHolder("online");
        }

        for (var i = Volatile.Read(ref _childCount); i > 0; i--)
        {
            yield return new KernelHolder("child cgroup");
        }

        if (CssSet.UserCount > 0)
        {
            yield return new KernelHolder($"css set of {CssSet.UserCount} task{(CssSet.UserCount == 1 ? "" : "s")}");
        }
    }

    /// <summary>Type and path.</summary>
    public override string ToString() => $"cgroup {Path}";

    /// <summary>Address of the list of its children, or of its link among its parent's.</summary>
    internal ulong LinkAt(string path) => Address + (ulong)Layout.Field(path).OffsetBytes;

    /// <summary>What was charged to it and below it. Caller holds the lock of the tasks.</summary>
    internal CpuTime ChargedLocked => new((long)Peek("bstat.cputime.utime"), (long)Peek("bstat.cputime.stime"));

    /// <summary>A task in it or below it used time. Caller holds the lock of the tasks.</summary>
    internal void ChargeLocked(CpuTime time)
    {
        Add("bstat.cputime.utime", time.UserNs);
        Add("bstat.cputime.stime", time.SystemNs);
        Add("bstat.cputime.sum_exec_runtime", time.TotalNs);
    }

    // Not by Get and Put, which may report: nobody is called under the lock.
    private ulong Peek(string path) => KernelMemory.Get(Address, Layout.Field(path));

    private void Add(string path, long timeNs) =>
        KernelMemory.Put(Address, Layout.Field(path), Peek(path) + (ulong)timeNs);

    internal void GoOffline()
    {
        _isOnline = false;
        Put("self.flags", (Get("self.flags") & ~(ulong)CssFlags.Online) | (ulong)CssFlags.Dying);
        Put("self.online_cnt.counter", 0);
        ReleaseCount();
    }

    /// <inheritdoc/>
    protected override void OnLastRelease()
    {
        _isReleased = true;
        Core.Work.Enqueue(static o => ((Cgroup)o).ReleaseWork(), this, "css_release_work_fn");
    }

    /// <inheritdoc/>
    protected override void OnFree()
    {
        _node.Free();
        CssSet.Free();
        if (Parent is { } parent)
        {
            Interlocked.Decrement(ref parent._childCount);
            parent.ReleaseCount();
        }
    }

    private void ReleaseWork()
    {
        Put("self.flags", Get("self.flags") | (ulong)CssFlags.Released);
        Core.Cgroups.Unlink(this);
        Core.Fire("cgroup_release", Address, 0);

        // queue_rcu_work: a work item that runs after a grace period.
        Core.Rcu.Call(
            static o => ((Cgroup)o).Core.Work.Enqueue(static c => ((Cgroup)c).Free(), o, "css_free_rwork_fn"),
            this, "queue_rcu_work");
    }

    private unsafe void FillNode()
    {
        _node.Put("id", Id);
        _node.Put("count.counter", 1);
        _node.Put("parent", Parent?.NodeAddress ?? 0);
        var name = new NativeField(_node.Layout.SizeBytes - NameBytesMax, NameBytesMax);
        if (_node.Layout.IsDeclared("name"))
        {
            KernelMemory.PutString(_node.Address, name, Parent is null ? "/" : Name);
            _node.Put("name", _node.Address + (ulong)name.OffsetBytes);
        }
    }

    private void FillSelf()
    {
        Put("level", (ulong)Level);
        Put("kn", NodeAddress);
        Put("self.flags", (ulong)(CssFlags.Online | CssFlags.Visible));
        Put("self.cgroup", Address);
        Put("self.parent", Parent?.Address ?? 0);
        Put("self.id", Id);
        Put("self.serial_nr", Id);
        Put("self.online_cnt.counter", 1);
        Put("dom_cgrp", Address);
        for (var i = 0; i <= Level; i++)
        {
            Put($"ancestors[{i}]", AncestorAt(i)!.Address);
        }

        NativeList.Init(LinkAt("self.children"));
        NativeList.Init(LinkAt("self.sibling"));
        if (Parent is { } parent)
        {
            NativeList.AddTail(parent.LinkAt("self.children"), LinkAt("self.sibling"));
            Interlocked.Increment(ref parent._childCount);
        }
    }

    [Flags]
    private enum CssFlags : ulong
    {
        Online = 1 << 1,
        Released = 1 << 2,
        Visible = 1 << 3,
        Dying = 1 << 4,
    }
}
