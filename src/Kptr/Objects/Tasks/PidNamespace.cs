namespace Kptr.Objects;

/// <summary>A pid namespace: a task inside is seen with a number in it and in every namespace above.</summary>
public sealed class PidNamespace
{
    private const int ReservedPids = 300;
    private readonly Dictionary<int, TaskStruct> _byNumber = [];
    private readonly KernelStruct _native;
    private readonly KernelStruct _nsproxy;
    private int _lastNumber;

    internal PidNamespace(KernelCore core, PidNamespace? parent, uint inum)
    {
        Parent = parent;
        Level = parent is null ? 0 : parent.Level + 1;
        _native = new(core, "pid_namespace", TaskFields.PidNamespace);
        _native.Put("level", (ulong)Level);
        _native.Put("parent", parent?.Address ?? 0);
        _native.Put("ns.inum", inum);
        _nsproxy = new(core, "nsproxy", TaskFields.Nsproxy);
        _nsproxy.Put("count.refs.counter", 1);
        _nsproxy.Put("pid_ns_for_children", Address);
    }

    /// <summary>The namespace above; null for the first one.</summary>
    public PidNamespace? Parent { get; }

    /// <summary>How deep it is; 0 for the first one.</summary>
    public int Level { get; }

    /// <summary>Depth and size.</summary>
    public override string ToString() => $"pid namespace of level {Level} ({_byNumber.Count} tasks)";

    /// <summary>
    /// The task that inherits the orphans of this namespace; null before its first task, and after its last.
    /// </summary>
    public TaskStruct? ChildReaper { get; private set; }

    /// <summary>Where its <c>struct pid_namespace</c> is.</summary>
    internal ulong Address => _native.Address;

    /// <summary>The <c>struct nsproxy</c> that its tasks share.</summary>
    internal ulong NsproxyAddress => _nsproxy.Address;

    /// <summary>
    /// Whether the task that inherits its orphans has ended, and with it all others: nobody is born here any more.
    /// Changed under the table's lock.
    /// </summary>
    internal bool IsEnded { get; set; }

    /// <summary>All tasks in it and below it. Caller holds the table's lock.</summary>
    internal IEnumerable<TaskStruct> TasksLocked => _byNumber.Values;

    /// <summary>The task with this number here, or null. Caller holds the table's lock.</summary>
    internal TaskStruct? FindLocked(int number) => _byNumber.GetValueOrDefault(number);

    /// <summary>
    /// The next unused number. Once they have passed 300 they do not come back below it. Kernel: <c>alloc_pid</c>.
    /// </summary>
    internal int AllocateLocked(int end)
    {
        var first = _lastNumber >= ReservedPids ? ReservedPids : 1;
        for (var tries = 0; tries < end; tries++)
        {
            _lastNumber = _lastNumber >= end - 1 ? first : _lastNumber + 1;
            if (!_byNumber.ContainsKey(_lastNumber))
            {
                return _lastNumber;
            }
        }

        throw new InvalidOperationException("every pid is in use");
    }

    /// <summary>A number that somebody chose. Where the next comes from stays as it is.</summary>
    internal int ClaimLocked(int number, int end)
    {
        if (number < 1 || number >= end)
        {
            throw new ArgumentOutOfRangeException(
                nameof(number), number, $"pids are 1 to {end - 1}");
        }

        return _byNumber.TryGetValue(number, out var user)
            ? throw new InvalidOperationException($"pid {number} is in use in the {this}: {user}")
            : number != 1 && ChildReaper is null
            ? throw new InvalidOperationException($"the first task of the {this} has pid 1 there, not {number}")
            : number;
    }

    /// <summary>The next task gets a number above this one.</summary>
    internal void SetLastNumber(int number) => _lastNumber = number;

    internal void HashLocked(int number, TaskStruct task)
    {
        _byNumber[number] = task;
        if (ChildReaper is null)
        {
            ChildReaper = task;
            _native.Put("child_reaper", task.Address);
        }
    }

    /// <summary>If the old task inherits the orphans here, the new one does so from now on.</summary>
    internal void ReplaceReaperLocked(TaskStruct old, TaskStruct task)
    {
        if (ChildReaper == old)
        {
            ChildReaper = task;
            _native.Put("child_reaper", task.Address);
        }
    }

    /// <summary>Who inherits the orphans: the reaper here, or of the nearest namespace above that has one.</summary>
    internal TaskStruct HeirLocked()
    {
        var at = this;
        while (at.IsEnded)
        {
            at = at.Parent!; // the first task never ends
        }

        return at.ChildReaper!;
    }

    internal void UnhashLocked(int number, TaskStruct task)
    {
        if (_byNumber.GetValueOrDefault(number) == task)
        {
            _byNumber.Remove(number);
        }

        if (ChildReaper == task)
        {
            ChildReaper = null;
            _native.Put("child_reaper", 0);
        }
    }
}
