namespace Kptr.Tracing.Tests.Making;

/// <summary>Makes a trace of a machine that never was, and knows what really happened there.</summary>
/// <remarks>
/// The same seed makes the same trace. All times are whole microseconds, and no two events share one: text that is
/// rounded to microseconds keeps their order.
/// </remarks>
internal sealed class TraceMaker(TraceMakerOptions options)
{
    private const int PidFirst = 300;
    private const int PidLast = 440;
    private const int TasksMax = 100;
    private const int FreeDelayEvents = 40;
    private readonly Random _random = new(options.Seed);
    private readonly List<TraceEvent> _made = [];
    private readonly MadeTask?[] _current = new MadeTask?[options.Cpus];
    private readonly long[] _sinceNs = new long[options.Cpus];

    // Whether a reader knows what the CPU runs.
    private readonly bool[] _isKnown = new bool[options.Cpus];
    private readonly Queue<MadeTask> _runnable = new();
    private readonly List<MadeTask> _sleeping = [];
    private readonly Queue<(MadeTask Task, int At)> _toFree = new();
    private readonly HashSet<int> _used = [];
    private int _lastPid = PidFirst;
    private int _count;
    private long _nowNs = 100_000_000_000;

    /// <summary>What really happened; complete once the trace is.</summary>
    public Truth Truth { get; } = new();

    public IEnumerable<TraceEvent> Make() => options.Interleaved == 0 ? InOrder() : Interleave();

    private IEnumerable<TraceEvent> InOrder()
    {
        while (_count < options.Events)
        {
            _made.Clear();
            Step(_random.Next(options.Cpus));
            foreach (var made in _made)
            {
                _count++;
                yield return made;
            }
        }

        // What runs when the trace ends has run until then.
        for (var cpu = 0; cpu < options.Cpus; cpu++)
        {
            if (_current[cpu] is { } task && _isKnown[cpu])
            {
                task.RunNs += _nowNs - _sinceNs[cpu];
            }
        }
    }

    // Blocks of each CPU's events, one CPU behind the other, as readers of per-CPU buffers deliver them.
    private IEnumerable<TraceEvent> Interleave() =>
        InOrder().Chunk(options.Interleaved).SelectMany(block => block.GroupBy(e => e.Cpu).SelectMany(cpu => cpu));

    private void Step(int cpu)
    {
        if (_toFree.TryPeek(out var dead) && dead.At <= _count)
        {
            _toFree.Dequeue();
            Free(cpu, dead.Task);
            return;
        }

        var current = _current[cpu];
        var dice = _random.Next(1000);
        if (dice < 40 && _used.Count < TasksMax)
        {
            Fork(cpu, current);
        }
        else if (current is null || dice < 500)
        {
            Switch(cpu, isEnd: false);
        }
        else if (dice < 545 && CanEnd(current))
        {
            Switch(cpu, isEnd: true);
        }
        else if (dice < 555 && current is { IsLeader: true, Threads: 1 })
        {
            Exec(cpu, current);
        }
        else
        {
            Wake(cpu, current);
        }
    }

    private static bool CanEnd(MadeTask task) => !task.IsLeader || task.Threads == 1;

    private void Fork(int cpu, MadeTask? current)
    {
        var isThread = current is { IsExitLost: false } && _random.Next(5) == 0;
        var pid = NextPid();
        var child = new MadeTask(pid, isThread ? current!.Tgid : pid, current?.Comm ?? "init")
        {
            // The number of a task that was never seen to end: its next bearer must be forked to be another one.
            IsForkLost = !isThread && _random.Next(1000) < options.LostForks && !Truth.IsExitLost(pid),
        };
        if (isThread)
        {
            Truth.Leader(current!).Threads++;
        }

        Truth.Begin(child);
        var parent = current?.Pid ?? 1;
        if (!child.IsForkLost)
        {
            Add(cpu, "task_newtask", parent, new("pid", pid), new("comm", 0, child.Comm),
                new("clone_flags", isThread ? 0x50f00 : 0x1200000), new("oom_score_adj", 0));
            Add(cpu, "sched_process_fork", parent, new("parent_comm", 0, current?.Comm ?? "init"),
                new("parent_pid", parent), new("child_comm", 0, child.Comm), new("child_pid", pid));
        }

        Add(cpu, "sched_wakeup_new", parent, new("comm", 0, child.Comm), new("pid", pid), new("prio", 120),
            new("target_cpu", cpu));
        _runnable.Enqueue(child);
    }

    private void Exec(int cpu, MadeTask task)
    {
        var comm = $"prog {_random.Next(40)}";
        task.Comm = comm;
        Truth.Execs++;
        Add(cpu, "sched_process_exec", task.Pid, new("filename", 0, $"/usr/bin/{comm}"), new("pid", task.Pid),
            new("old_pid", task.Pid));
    }

    private void Wake(int cpu, MadeTask current)
    {
        if (_sleeping.Count == 0)
        {
            Switch(cpu, isEnd: false);
            return;
        }

        var at = _random.Next(_sleeping.Count);
        var task = _sleeping[at];
        _sleeping[at] = _sleeping[^1];
        _sleeping.RemoveAt(_sleeping.Count - 1);
        _runnable.Enqueue(task);
        if (_random.Next(1000) < options.LostWakeups)
        {
            Truth.Lost++;
            _isKnown[cpu] = false;
            Add(cpu, TraceEvent.LostEvents, -1, new TraceField("events", 1));
            return;
        }

        Add(cpu, "sched_wakeup", current.Pid, new("comm", 0, task.Comm), new("pid", task.Pid), new("prio", 120),
            new("target_cpu", cpu));
    }

    private void Switch(int cpu, bool isEnd)
    {
        var prev = _current[cpu];
        _runnable.TryDequeue(out var next);
        if (prev is null && next is null)
        {
            return;
        }

        var isTold = isEnd && Ends(cpu, prev!);
        var state = isTold ? prev!.IsLeader ? "Z" : "X" : isEnd || _random.Next(3) > 0 ? "S" : "R+";
        if (prev is not null && options.HasRuntimes)
        {
            var ranNs = _nowNs - _sinceNs[cpu] + _random.Next(1000);
            Add(cpu, "sched_stat_runtime", prev.Pid, new("comm", 0, prev.Comm), new("pid", prev.Pid),
                new("runtime", ranNs));
            prev.RunNs += ranNs;
        }

        Add(cpu, "sched_switch", prev?.Pid ?? 0,
            new("prev_comm", 0, prev?.Comm ?? $"swapper/{cpu}"), new("prev_pid", prev?.Pid ?? 0),
            new("prev_prio", 120), new("prev_state", 0, prev is null ? "R" : state),
            new("next_comm", 0, next?.Comm ?? $"swapper/{cpu}"), new("next_pid", next?.Pid ?? 0),
            new("next_prio", 120));
        if (prev is not null && !options.HasRuntimes)
        {
            prev.RunNs += _nowNs - _sinceNs[cpu];
        }

        _isKnown[cpu] = true;
        _sinceNs[cpu] = _nowNs;
        _current[cpu] = next;
        if (prev is not null && !isEnd)
        {
            if (state == "S")
            {
                _sleeping.Add(prev);
            }
            else
            {
                _runnable.Enqueue(prev);
            }
        }
    }

    // Whether the trace tells of it.
    private bool Ends(int cpu, MadeTask task)
    {
        if (!task.IsLeader)
        {
            Truth.Leader(task).Threads--;
        }

        task.IsExitLost = task.IsLeader && _random.Next(1000) < options.LostExits;
        task.IsFreeLost = !task.IsExitLost && _random.Next(1000) < options.LostFrees;
        Truth.End(task);
        if (task.IsExitLost)
        {
            _used.Remove(task.Pid);
            return false;
        }

        Add(cpu, "sched_process_exit", task.Pid, new("comm", 0, task.Comm), new("pid", task.Pid), new("prio", 120));
        _toFree.Enqueue((task, _count + FreeDelayEvents));
        return true;
    }

    private void Free(int cpu, MadeTask task)
    {
        _used.Remove(task.Pid);
        if (!task.IsFreeLost)
        {
            Add(cpu, "sched_process_free", _current[cpu]?.Pid ?? 0, new("comm", 0, task.Comm), new("pid", task.Pid),
                new("prio", 120));
        }
    }

    private int NextPid()
    {
        do
        {
            _lastPid = _lastPid == PidLast ? PidFirst : _lastPid + 1;
        }
        while (!_used.Add(_lastPid));
        return _lastPid;
    }

    private void Add(int cpu, string name, int pid, params TraceField[] fields)
    {
        _nowNs += 1000 * (1 + _random.Next(4));
        _made.Add(new(name, _nowNs, fields)
        {
            System = name.StartsWith("task_", StringComparison.Ordinal) ? "task" : "sched",
            Cpu = cpu,
            Pid = pid,
            Comm = pid == 0 ? "<idle>" : "task",
        });
    }
}
