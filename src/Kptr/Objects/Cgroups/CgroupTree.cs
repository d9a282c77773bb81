using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The v2 hierarchy.</summary>
/// <remarks>Safe for any number of threads. What it returns is no owned reference.</remarks>
public sealed partial class CgroupTree
{
    private const int LevelMax = 31;
    private readonly KernelCore _core;
    private readonly RankedLock _lock = new(LockRank.CgroupTree);
    private readonly Dictionary<ulong, Cgroup> _byId = [];
    private ulong _lastId;
    private CpuTime _used; // under the tasks' lock

    internal CgroupTree(KernelCore core)
    {
        _core = core;
        Root = MakeLocked(null, "");
    }

    /// <summary>Guards which tasks use which css set (<c>css_set_lock</c>).</summary>
    internal RankedLock SetLock { get; } = new(LockRank.CssSet);

    /// <summary>The root; its id is 1.</summary>
    public Cgroup Root { get; }

    /// <summary>Makes a cgroup (<c>mkdir</c>); fires <c>cgroup_mkdir</c>.</summary>
    /// <param name="parent">Where.</param>
    /// <param name="name">The directory's name: at most 255 characters, no slash.</param>
    /// <exception cref="ArgumentException">It is no name of a directory.</exception>
    /// <exception cref="InvalidOperationException">The parent is offline, too deep, or has a child
    /// of that name.</exception>
    public Cgroup Create(Cgroup parent, string name)
    {
        _core.CheckOwn(parent);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (NameLimits.Check(name, NameLimits.FileMax).Contains('/', StringComparison.Ordinal))
        {
            throw new ArgumentException($"{name} is a path, not a name", nameof(name));
        }

        Cgroup made;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (!parent.IsOnline || parent.IsRemoved || parent.Level >= LevelMax
                || parent.Children.Any(c => c.Name == name))
            {
                throw new InvalidOperationException($"cannot make {name} in {parent}");
            }

            if (!parent.TryAcquireCount())
            {
                throw new InvalidOperationException($"{parent} is gone: it was released too often");
            }

            made = MakeLocked(parent, name);
            parent.Children.Add(made);
        }

        _core.Fire("cgroup_mkdir", made.Address, 0);
        return made;
    }

    /// <summary>Makes a cgroup in the root.</summary>
    public Cgroup Create(string name) => Create(Root, name);

    /// <summary>The cgroup at a path (<c>mkdir -p</c>): what is missing of it is made.</summary>
    /// <param name="path">From the root; parts between slashes are names.</param>
    /// <exception cref="ArgumentException">A part is too long for a name.</exception>
    /// <exception cref="InvalidOperationException">A part cannot be made: too deep, or somebody else made or removed
    /// one meanwhile.</exception>
    public Cgroup GetOrCreate(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return path.Split('/', StringSplitOptions.RemoveEmptyEntries).Aggregate(
            Root, (at, name) => ChildrenOf(at).FirstOrDefault(c => c.Name == name) ?? Create(at, name));
    }

    /// <summary>
    /// Removes a cgroup (<c>rmdir</c>): it goes offline, and lives on while somebody has a reference.
    /// </summary>
    /// <returns><see cref="Errno.EBUSY"/> when it has children or live tasks; <see cref="Errno.ENOENT"/>
    /// when it is offline.</returns>
    public Errno Remove(Cgroup cgroup)
    {
        _core.CheckOwn(cgroup);
        using (_lock.Enter())
        {
            if (!cgroup.IsOnline || cgroup.IsRemoved)
            {
                return Errno.ENOENT;
            }

            if (cgroup.Parent is null || cgroup.Children.Count > 0 || _core.Tasks.IsPopulated(cgroup))
            {
                return Errno.EBUSY;
            }

            // Claimed here: of two that remove it, one takes it offline.
            cgroup.IsRemoved = true;
            cgroup.Parent.Children.Remove(cgroup);
            _byId.Remove(cgroup.Id);
        }

        _core.Fire("cgroup_rmdir", cgroup.Address, 0);
        cgroup.GoOffline();
        return Errno.None;
    }

    /// <summary>The online cgroup with this id, or null.</summary>
    public Cgroup? Find(ulong id)
    {
        using (_lock.Enter())
        {
            return _byId.GetValueOrDefault(id);
        }
    }

    /// <summary>Whether there is or was a cgroup with this id.</summary>
    internal bool HasMade(ulong id)
    {
        using (_lock.Enter())
        {
            return id > 0 && id <= _lastId;
        }
    }

    /// <summary>The online cgroup at this path, or null.</summary>
    public Cgroup? Find(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        using (_lock.Enter())
        {
            return path.Split('/', StringSplitOptions.RemoveEmptyEntries)
                .Aggregate((Cgroup?)Root, (at, name) => at?.Children.FirstOrDefault(c => c.Name == name));
        }
    }

    /// <summary>The online cgroups directly below one; a copy.</summary>
    public IReadOnlyList<Cgroup> ChildrenOf(Cgroup cgroup)
    {
        _core.CheckOwn(cgroup);
        using (_lock.Enter())
        {
            return [.. cgroup.Children];
        }
    }

    /// <summary>How many.</summary>
    public override string ToString() => $"{_byId.Count} cgroups";

    /// <summary>Moves a process into a cgroup; fires <c>cgroup_attach_task</c>.</summary>
    /// <param name="cgroup">Where to.</param>
    /// <param name="task">Any thread of the process.</param>
    /// <returns><see cref="Errno.ENODEV"/> when the cgroup is offline.</returns>
    public Errno Attach(Cgroup cgroup, TaskStruct task)
    {
        _core.CheckOwn(cgroup);
        _core.CheckOwn(task);
        List<CssSet> left;
        using (_core.HoldFaults())
        using (_lock.Enter())
        {
            if (!cgroup.IsOnline || cgroup.IsRemoved)
            {
                return Errno.ENODEV;
            }

            left = _core.Tasks.MoveProcess(task, cgroup.CssSet);
        }

        left.ForEach(set => set.Put());

        _core.Fire("cgroup_attach_task", cgroup.Address, 0, task.Leader.Address, 1);
        return Errno.None;
    }

    /// <summary>
    /// A task in a cgroup used time: so did that and all above it but the root, which shows what the machine used.
    /// Caller holds the lock of the tasks.
    /// </summary>
    internal void ChargeLocked(Cgroup cgroup, CpuTime time)
    {
        _used += time;
        for (var at = cgroup; at.Parent is not null && !at.IsFreed; at = at.Parent)
        {
            at.ChargeLocked(time);
        }
    }

    internal CpuTime CpuTimeOf(Cgroup cgroup)
    {
        using (_core.Tasks.Lock())
        {
            return cgroup.Parent is null ? _used : cgroup.ChargedLocked;
        }
    }

    /// <summary>A cgroup is released: programs that walk its parent's children do not meet it any more.</summary>
    internal void Unlink(Cgroup cgroup)
    {
        using (_lock.Enter())
        {
            NativeList.Remove(cgroup.LinkAt("self.sibling"));
            _updated.RemoveWhere(u => u.Cgroup == cgroup);
        }
    }

    // The child has one reference on its parent, which the caller took.
    private Cgroup MakeLocked(Cgroup? parent, string name)
    {
        var made = new Cgroup(_core, parent, name, ++_lastId);
        _byId[made.Id] = made;
        return made;
    }
}
