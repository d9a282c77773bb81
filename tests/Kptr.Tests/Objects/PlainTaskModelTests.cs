using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>
/// Processes, threads, pid namespaces and cgroups at random, against the plainest records of who is whose.
/// </summary>
public class PlainTaskModelTests
{
    [Theory, InlineData(1), InlineData(2)]
    public void World_IsAsThePlainRecordsSay(int seed)
    {
        using var core = TestKernel.Boot();
        var world = new World(core, seed);
        for (var step = 0; step < 250; step++)
        {
            world.Step();
            core.Quiesce();
            world.Check();
        }

        world.End();
        core.Quiesce();
        world.Check();
        core.Ledger.AssertAllReturned();
    }

    /// <summary>By default, CHLD, CONT, URG and WINCH are ignored, four stop, and all others end a process.</summary>
    [Fact]
    public void Signals_EndWhomTheyMayEnd()
    {
        using var core = TestKernel.Boot();
        var (init, tasks) = (core.Tasks.Init, core.Tasks);
        var mine = tasks.Fork(init);
        mine.SetUser(1000, 1000);
        var (same, other) = (tasks.Fork(mine), tasks.Fork(init));
        other.SetUser(1001, 1001);
        tasks.Kill(init, other, -1).Should().Be(Errno.EINVAL);
        tasks.Kill(init, other, 65).Should().Be(Errno.EINVAL);
        foreach (var signal in Enumerable.Range(0, 65))
        {
            var task = tasks.Fork(init);
            tasks.Kill(init, task, signal).Should().Be(Errno.None);
            var ends = signal is not (0 or 17 or 18 or 23 or 28 or 19 or 20 or 21 or 22);
            task.Phase.Should().Be(ends ? TaskPhase.Zombie : TaskPhase.Alive, $"of {signal}");
            task.ExitCode.Should().Be(ends ? signal : 0);
        }

        tasks.Kill(mine, other, 9).Should().Be(Errno.EPERM);
        tasks.Kill(mine, other, 0).Should().Be(Errno.EPERM);
        tasks.Kill(mine, init, 0).Should().Be(Errno.EPERM);
        tasks.Kill(other, tasks.ForkThread(other), 0).Should().Be(Errno.None);
        var kthread = tasks.ForkKthread("kworker");
        foreach (var task in new[] { init, kthread })
        {
            tasks.Kill(init, task, 9).Should().Be(Errno.None);
            task.Phase.Should().Be(TaskPhase.Alive, "it ignores all signals");
        }

        tasks.Kill(mine, same, 9).Should().Be(Errno.None);
        (same.Phase, other.Phase).Should().Be((TaskPhase.Zombie, TaskPhase.Alive));
        tasks.Kill(mine, same, 9).Should().Be(Errno.None, "a zombie is there and ignores it");
        tasks.Reap(same).Should().BeTrue();
        tasks.Kill(mine, same, 9).Should().Be(Errno.ESRCH);
        tasks.Kill(init, tasks.IdleOf(0), 9).Should().Be(Errno.ESRCH);
        Assert.Throws<InvalidOperationException>(() => tasks.Kill(same, mine, 0));
        Assert.Throws<InvalidOperationException>(() => tasks.Kill(tasks.IdleOf(0), mine, 0));
    }

    [Fact]
    public void Cgroups_NestThirtyOneDeep()
    {
        using var core = TestKernel.Boot();
        var deep = core.Cgroups.GetOrCreate(string.Join('/', Enumerable.Repeat("x", 31)));
        deep.Level.Should().Be(31);
        Assert.Throws<InvalidOperationException>(() => core.Cgroups.Create(deep, "x"));
    }

    private sealed class World
    {
        private readonly KernelCore _core;
        private readonly Random _random;
        private readonly Space _first;
        private readonly Process _init;
        private readonly List<TaskStruct> _all = [];
        private readonly List<Process> _processes = [];
        private readonly List<Group> _groups = [];
        private readonly List<(TaskStruct Task, Group Group)> _pins = [];
        private readonly Dictionary<TaskStruct, List<(Space Space, int Number)>> _numbers = [];
        private long _spent;

        internal World(KernelCore core, int seed)
        {
            (_core, _random) = (core, new(seed));
            _first = new Space(core.Tasks.InitNamespace, null);
            _groups.Add(new(core.Cgroups.Root, null));
            _init = new(core.Tasks.Init, null, _first);
            _first.Reaper = _init;
            Born(_init, core.Tasks.Init, _groups[0]);
            _processes.Add(_init);
        }

        private IEnumerable<(Process Process, TaskStruct Task)> Alive =>
            _processes.SelectMany(p => p.Threads.Where(t => !p.Dead.Contains(t)).Select(t => (p, t)));

        internal void Step()
        {
            var (process, task) = Any(Alive.ToList());
            switch (_random.Next(12))
            {
                case <= 2:
                    Fork(process, task);
                    break;
                case 3:
                    var thread = _core.Tasks.ForkThread(task);
                    process.Threads.Add(thread);
                    Born(process, thread, process.GroupOf[task]);
                    break;
                case 4 or 5:
                    Exit(process, task);
                    break;
                case 6:
                    Reap();
                    break;
                case 7:
                    Exec(process, task);
                    break;
                case 8:
                    MakeOrRemoveGroup();
                    break;
                case 9:
                    var group = Any(_groups);
                    _core.Cgroups.Attach(group.Cgroup, task).Should().Be(group.IsOnline ? Errno.None : Errno.ENODEV);
                    foreach (var each in process.Threads.Where(t => group.IsOnline && !process.Dead.Contains(t)))
                    {
                        process.GroupOf[each] = group;
                    }

                    break;
                case 10:
                    var (user, system) = (_random.Next(1000), _random.Next(1000));
                    task.AddCpuTime(user, system);
                    process.Used += user + system;
                    _spent += user + system;
                    for (var at = process.GroupOf[task]; at.Parent is not null; at = at.Parent)
                    {
                        at.Used += user + system;
                    }

                    break;
                default:
                    PinOrUnpin();
                    break;
            }
        }

        internal void Check()
        {
            _groups.RemoveAll(g => g.Cgroup.IsFreed);
            Assert.Equal(_all, _core.Tasks.All);
            foreach (var process in _processes)
            {
                var live = process.Threads.Where(t => !process.Dead.Contains(t)).ToList();
                Assert.Equal(process.Threads, _core.Tasks.ThreadsOf(process.Leader));
                Assert.Equal(process.Children.Select(c => c.Leader), _core.Tasks.ChildrenOf(process.Threads[^1]));
                Assert.Equal((process.Used, process.OfChildren),
                    (process.Leader.ProcessCpuTime.TotalNs, process.Leader.ChildrenCpuTime.TotalNs));
                foreach (var task in process.Threads)
                {
                    CheckTask(process, task, live.Contains(task));
                }

                live.ForEach(t => Assert.Equal((live[0].Mm, live[0].Files), (t.Mm, t.Files)));
                if (live.Count > 0)
                {
                    Assert.Equal((live.Count, live.Count), (live[0].Mm!.Count.Value, live[0].Files!.Count.Value));
                }
            }

            CheckLists();
            foreach (var group in _groups)
            {
                var users = Users(group);
                var children = _groups.Count(g => g.Parent == group && (g.IsOnline || Pinned(g)));
                Assert.Equal((group.IsOnline ? 1 : 0) + children + (users > 0 ? 1 : 0), group.Cgroup.Count.Value);
                Assert.Equal(_groups.Where(g => g.Parent == group && g.IsOnline).Select(g => g.Cgroup),
                    _core.Cgroups.ChildrenOf(group.Cgroup));
                Assert.Equal(group.IsOnline ? group.Cgroup : null, _core.Cgroups.Find(group.Cgroup.Id));
                Assert.Equal(group.Parent is null ? _spent : group.Used, group.Cgroup.CpuTime.TotalNs);
                Assert.Equal(group.Cgroup.IntrinsicHolders().Count(), group.Cgroup.Count.Value);
            }
        }

        // The lists that programs walk hold what C# says.
        private void CheckLists()
        {
            var leaders = _processes.Where(p => p != _init).Select(p => p.Leader);
            Assert.Equal(ByAddress(leaders), ByAddress(Walk(_init.Leader.LinkAt("tasks"), "tasks")));
            foreach (var process in _processes)
            {
                var children = process.Children.Select(c => c.Leader);
                Assert.Equal(children, Walk(process.Leader.LinkAt("children"), "sibling"));
                Assert.Equal(process.Threads, Walk(In("signal_struct", process.Leader.Get("signal"), "thread_head"),
                    "thread_node"));
            }

            var members = _processes
                .SelectMany(p => p.Threads.Select(t => (Task: t, Set: (p.GroupOf[t], p.Dead.Contains(t)))))
                .ToLookup(m => m.Set, m => m.Task);
            foreach (var group in _groups)
            {
                List<TaskStruct> On(string list) =>
                    Walk(In("css_set", group.Cgroup.CssSet.Address, list), "cg_list");
                Assert.Equal(ByAddress(members[(group, false)]), ByAddress(On("tasks")));
                Assert.Equal(ByAddress(members[(group, true)]), ByAddress(On("dying_tasks")));
                Assert.Empty(On("mg_tasks"));
            }

            ulong In(string type, ulong address, string path) =>
                address + (ulong)_core.LayoutOf(type, []).Field(path).OffsetBytes;
            static IEnumerable<TaskStruct> ByAddress(IEnumerable<TaskStruct> tasks) => tasks.OrderBy(t => t.Address);
        }

        private unsafe List<TaskStruct> Walk(ulong head, string link)
        {
            var offset = _init.Leader.LinkAt(link) - _init.Leader.Address;
            var found = new List<TaskStruct>();
            for (var (at, before) = (*(ulong*)head, head); at != head; (at, before) = (*(ulong*)at, at))
            {
                Assert.Equal(before, *(ulong*)(at + sizeof(ulong)));
                found.Add((TaskStruct)_core.Heap.FindObject(at - offset)!);
            }

            return found;
        }

        internal void End()
        {
            while (_processes.Count > 1)
            {
                var process = _processes[^1];
                process.Threads.Where(t => !process.Dead.Contains(t)).ToList().ForEach(t => Exit(process, t));
                while (_processes.Contains(process))
                {
                    Reap(process);
                }
            }

            _pins.ForEach(p => KernelRef.Own(p.Task).Release());
            _pins.Clear();
            _init.Threads.Skip(1).ToList().ForEach(t => Exit(_init, t));
        }

        private bool Pinned(Group group) =>
            Users(group) > 0 || _groups.Any(g => g.Parent == group && (g.IsOnline || Pinned(g)));

        // Tasks that are not freed: those that are not reaped, and those that somebody holds.
        private int Users(Group group) => _processes.Sum(p => p.Threads.Count(t => p.GroupOf[t] == group))
            + _pins.Where(p => !_all.Contains(p.Task) && p.Group == group).Select(p => p.Task).Distinct().Count();

        private void CheckTask(Process process, TaskStruct task, bool isAlive)
        {
            Assert.Equal((isAlive ? TaskPhase.Alive : TaskPhase.Zombie, process.Leader, process.Leader == task),
                (task.Phase, task.Leader, task.IsLeader));
            Assert.Equal(process.Parent?.Leader, task.Parent);
            Assert.Equal(task.Parent?.Address ?? task.Address, task.Read<ulong>("real_parent"));
            Assert.Equal((process.Leader.Pid, process.GroupOf[task].Cgroup, process.Space.Ns),
                (task.Tgid, task.Cgroup, task.PidNamespace));
            Assert.Equal((isAlive ? 2 : 1) + _pins.Count(p => p.Task == task), task.Count.Value);
            foreach (var (space, number) in _numbers[task])
            {
                Assert.Equal((number, task), (task.PidIn(space.Ns), _core.Tasks.Find(number, space.Ns)));
            }

            Assert.Equal(_numbers[task][^1].Number, task.Pid);
        }

        private void Fork(Process process, TaskStruct task)
        {
            var flags = _random.Next(5) == 0 ? CloneFlags.NewPid : CloneFlags.None;
            var isEnded = process.Space.Up().Any(s => s.Reaper is null && s.IsUsed);
            if (isEnded)
            {
                Assert.Throws<InvalidOperationException>(() => _core.Tasks.Fork(task, null, flags));
                return;
            }

            var child = _core.Tasks.Fork(task, null, flags);
            var space = flags == CloneFlags.None ? process.Space : new Space(child.PidNamespace, process.Space);
            var made = new Process(child, process, space);
            space.Reaper ??= made;
            process.Children.Add(made);
            _processes.Add(made);
            Born(made, child, process.GroupOf[task]);
        }

        private void Born(Process process, TaskStruct task, Group group)
        {
            _all.Add(task);
            process.GroupOf[task] = group;
            _numbers[task] = [.. process.Space.Up().Select(s => (s, ++s.Last))];
            process.Space.IsUsed = true;
        }

        private void Exit(Process process, TaskStruct task)
        {
            if (task == _init.Leader)
            {
                Assert.Throws<InvalidOperationException>(() => _core.Tasks.Exit(task));
                return;
            }

            _core.Tasks.Exit(task, 7);
            Ended(process, task);
            Assert.Throws<InvalidOperationException>(() => _core.Tasks.Exit(task));
        }

        private void Ended(Process process, TaskStruct task)
        {
            process.Dead.Add(task);
            if (task != process.Leader)
            {
                process.Threads.Remove(task);
                _all.Remove(task);
            }

            if (process.Threads.All(process.Dead.Contains))
            {
                var space = process.Space;
                var isReaper = space.Reaper == process;
                space.Reaper = isReaper ? null : space.Reaper;
                var heir = space.Up().First(s => s.Reaper is not null).Reaper!;
                process.Children.ForEach(c => c.Parent = heir);
                heir.Children.AddRange(process.Children);
                process.Children.Clear();
                if (isReaper)
                {
                    var inside = _processes.Where(p => p != process && p.Space.Up().Contains(space)).ToList();
                    inside.ForEach(p => p.Threads.Where(t => !p.Dead.Contains(t)).ToList().ForEach(t => Ended(p, t)));
                    inside.ForEach(p => Gone(p, process));
                }
            }
        }

        private void Gone(Process process, Process? waiter)
        {
            if (_processes.Remove(process))
            {
                process.Parent!.Children.Remove(process);
                _all.Remove(process.Leader);
                (waiter ?? process.Parent).OfChildren += process.Used + process.OfChildren;
            }
        }

        private void Reap(Process? which = null)
        {
            var process = which ?? Any(_processes);
            var isDue = process.Threads.Count == 1 && process.Dead.Contains(process.Leader);
            Assert.Equal(isDue, _core.Tasks.Reap(process.Leader));
            if (isDue)
            {
                Gone(process, null);
                Assert.False(_core.Tasks.Reap(process.Leader));
            }
        }

        private void Exec(Process process, TaskStruct task)
        {
            if (process == _init && task != _init.Leader)
            {
                Assert.Throws<InvalidOperationException>(() => _core.Tasks.Exec(task, "x"));
                return;
            }

            var old = process.Leader;
            _core.Tasks.Exec(task, "x");
            process.Threads.Where(t => t != task).ToList().ForEach(t => _all.Remove(t));
            process.Threads.RemoveAll(t => t != task);
            (_numbers[old], _numbers[task]) = (_numbers[task], _numbers[old]);
            process.Leader = task;
        }

        private void MakeOrRemoveGroup()
        {
            var group = Any(_groups);
            if (_random.Next(2) == 0)
            {
                if (!group.IsOnline)
                {
                    Assert.Throws<InvalidOperationException>(() => _core.Cgroups.Create(group.Cgroup, "x"));
                    return;
                }

                var name = $"g{_groups.Count}";
                var made = new Group(_core.Cgroups.Create(group.Cgroup, name), group);
                Assert.Throws<InvalidOperationException>(() => _core.Cgroups.Create(group.Cgroup, name));
                _groups.Add(made);
                (made.Cgroup.Level, made.Cgroup.Path).Should().Be(
                    (group.Cgroup.Level + 1, group.Parent is null ? $"/{name}" : $"{group.Cgroup.Path}/{name}"));
                _core.Cgroups.Find(made.Cgroup.Path).Should().BeSameAs(made.Cgroup);
                _core.Cgroups.GetOrCreate(made.Cgroup.Path).Should().BeSameAs(made.Cgroup);
                for (var (at, level) = (made, made.Cgroup.Level); at is not null; at = at.Parent, level--)
                {
                    made.Cgroup.AncestorAt(level).Should().BeSameAs(at.Cgroup);
                    made.Cgroup.Read<ulong>($"ancestors[{level}]").Should().Be(at.Cgroup.Address);
                }
            }
            else
            {
                var isBusy = group.Parent is null || _groups.Any(g => g.Parent == group && g.IsOnline)
                    || _processes.Any(p => p.Threads.Any(t => !p.Dead.Contains(t) && p.GroupOf[t] == group));
                var expected = !group.IsOnline ? Errno.ENOENT : isBusy ? Errno.EBUSY : Errno.None;
                _core.Cgroups.Remove(group.Cgroup).Should().Be(expected);
                group.IsOnline &= expected != Errno.None;
            }
        }

        private void PinOrUnpin()
        {
            if (_pins.Count > 5)
            {
                var (task, _) = _pins[0];
                _pins.RemoveAt(0);
                KernelRef.Own(task).Release();
                return;
            }

            var (process, pinned) = Any(_processes.SelectMany(p => p.Threads.Select(t => (p, t))).ToList());
            pinned.TryAcquireCount().Should().BeTrue();
            _pins.Add((pinned, process.GroupOf[pinned]));
        }

        private T Any<T>(List<T> from) => from[_random.Next(from.Count)];
    }

    private sealed class Space(PidNamespace ns, Space? parent)
    {
        internal PidNamespace Ns { get; } = ns;

        internal Process? Reaper { get; set; }

        internal bool IsUsed { get; set; }

        internal int Last { get; set; }

        internal IEnumerable<Space> Up() => parent is null ? [this] : parent.Up().Prepend(this);
    }

    private sealed class Group(Cgroup cgroup, Group? parent)
    {
        internal Cgroup Cgroup { get; } = cgroup;

        internal Group? Parent { get; } = parent;

        internal bool IsOnline { get; set; } = true;

        internal long Used { get; set; }
    }

    private sealed class Process(TaskStruct leader, Process? parent, Space space)
    {
        internal TaskStruct Leader { get; set; } = leader;

        internal Process? Parent { get; set; } = parent;

        internal Space Space { get; } = space;

        internal List<TaskStruct> Threads { get; } = [leader];

        internal HashSet<TaskStruct> Dead { get; } = [];

        internal List<Process> Children { get; } = [];

        internal Dictionary<TaskStruct, Group> GroupOf { get; } = [];

        internal long Used { get; set; }

        internal long OfChildren { get; set; }
    }
}
