using System.Globalization;
using Kptr.Objects;
using Kptr.Tracing.Proc;

namespace Kptr.Tracing;

/// <summary>
/// Lets a running machine happen in a model, by looking at its <c>/proc</c> again and again; needs no root.
/// </summary>
/// <remarks>
/// <para>
/// What is there at the first look was there before: no tracepoint fires for it. What differs at a later look happens
/// then: tasks are forked (and execute, where they have another name than their parent), change their name, use the
/// CPU, move between cgroups, exit and are reaped, and programs attached to the model run. Its clock is the machine's
/// uptime. Looking misses tasks that live between two looks, what happens twice between them, and the order of what
/// happened; a process that renames itself is told from one that executes only by threads that live on.
/// <see cref="LiveTrace"/> sees all of it, where it may.
/// </para>
/// <para>
/// What processes have open is not looked at.
/// It keeps what the last look saw and nothing more. Not safe for several threads; the model stays safe for others
/// meanwhile.
/// </para>
/// </remarks>
public sealed class LiveProc
{
    private const int RefusedKept = 10;
    private readonly KernelModel _kernel;
    private readonly LiveProcOptions _options;
    private readonly ProcTasks _tasks;
    private Dictionary<int, ProcTask> _last = [];
    private HashSet<string> _cgroups = [];
    private List<string> _gone = [];
    private long? _firstForks;
    private LiveProcReport _report = new();

    /// <summary>Prepares to follow. Nothing is looked at yet.</summary>
    /// <param name="kernel">The model, on a virtual clock. Its first task plays the machine's.</param>
    /// <param name="options">Null for this machine and the defaults.</param>
    /// <exception cref="ArgumentException">A path is empty, or the period is negative.</exception>
    /// <exception cref="InvalidOperationException">The model runs on a clock of the user's own.</exception>
    public LiveProc(KernelModel kernel, LiveProcOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _options = options ?? new();
        ArgumentException.ThrowIfNullOrEmpty(_options.Proc, "options.Proc");
        ArgumentException.ThrowIfNullOrEmpty(_options.Cgroup, "options.Cgroup");
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.Period, TimeSpan.Zero, "options.Period");
        _ = kernel.VirtualClock;
        _kernel = kernel;
        _tasks = new(kernel);
    }

    /// <summary>What it saw so far.</summary>
    public LiveProcReport Report => _report;

    /// <summary>Looks once, and lets happen what differs from the last look.</summary>
    /// <exception cref="IOException">There is no proc file system there.</exception>
    public LiveProcReport Look()
    {
        var forks = ReadForks();
        var seen = ProcSnapshot.Read(_options.Proc, _options.Cgroup, files: false);
        var now = seen.Tasks.ToDictionary(t => t.Pid);
        HashSet<string> cgroups = [.. seen.Cgroups];
        if (_report.Looks == 0)
        {
            ProcMaker.Make(_kernel, seen, _tasks);
            _firstForks = forks;
            _report = _report with { Found = seen.Tasks.Count };
        }
        else
        {
            ProcMaker.BringClockTo(_kernel, seen.UptimeNs);
            Happen(seen, now, cgroups);
        }

        _last = now;
        _cgroups = cgroups;
        _kernel.Quiesce();
        _report = _report with
        {
            Looks = _report.Looks + 1,
            Missed = forks - _firstForks is { } all ? Math.Max(all - _report.Forked, 0) : null,
            Differences = CountDifferences(),
            Gaps = seen.Gaps,
            Refused = [.. _report.Refused.Concat(_tasks.TakeRefused()).Take(RefusedKept)],
        };
        return _report;
    }

    /// <summary>Looks once a period until it is cancelled, and once more then.</summary>
    /// <param name="cancellation">Ends it; that is no exception.</param>
    /// <exception cref="IOException">There is no proc file system there.</exception>
    public LiveProcReport Run(CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            var began = _options.Time.GetTimestamp();
            Look();
            var took = _options.Time.GetElapsedTime(began);
            var wait = _options.Period - took;
            Wait(wait > took * 2 ? wait : took * 2, cancellation);
        }

        return Look();
    }

    /// <summary>Where it looks, and what it saw.</summary>
    public override string ToString() => $"{_options.Proc}: {_report}";

    private void Wait(TimeSpan time, CancellationToken cancellation)
    {
        try
        {
            Task.Delay(time, _options.Time, cancellation).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // That is how it ends.
        }
    }

    private void Happen(ProcSnapshot seen, Dictionary<int, ProcTask> now, HashSet<string> cgroups)
    {
        _gone = [.. _gone.Concat(_cgroups).Where(path => !cgroups.Contains(path)).Distinct()];
        foreach (var path in seen.Cgroups.Where(p => !_cgroups.Contains(p)))
        {
            _tasks.CgroupAt(path);
        }

        // A pid that began anew is another task, with other threads. Threads end before their leaders.
        var ended = _last.Values.Where(t => !GoesOn(t, now)).OrderBy(t => t.IsLeader).ToList();
        ended.ForEach(t => _tasks.End(t.Pid));
        var goOn = _last.Keys.Except(ended.Select(t => t.Pid)).ToHashSet();
        var begun = seen.Tasks.Where(t => !goOn.Contains(t.Pid)).ToList();
        _tasks.Make(begun, areBorn: true);
        _report = _report with
        {
            Forked = _report.Forked + begun.Count, Exited = _report.Exited + ended.Count,
        };
        var withThreads = seen.Tasks.Where(t => !t.IsLeader && goOn.Contains(t.Pid)).Select(t => t.Tgid).ToHashSet();
        foreach (var task in seen.Tasks)
        {
            if (goOn.Contains(task.Pid))
            {
                Change(_last[task.Pid], task, mayHaveExeced: !withThreads.Contains(task.Pid));
            }
        }

        // Deepest first: a cgroup with children cannot go.
        _gone = [.. _gone.OrderByDescending(p => p.Length).Where(p => !_tasks.RemoveCgroup(p))];
    }

    // Threads that live on tell that their leader renamed itself: execve ends them (de_thread).
    private void Change(ProcTask old, ProcTask task, bool mayHaveExeced)
    {
        if (old.Comm != task.Comm)
        {
            _tasks.Rename(task.Pid, task.Comm, mayHaveExeced);
            _report = _report with { Renamed = _report.Renamed + 1 };
        }

        if (task.UserTimeNs > old.UserTimeNs || task.SystemTimeNs > old.SystemTimeNs)
        {
            _tasks.Spend(task.Pid, Math.Max(task.UserTimeNs - old.UserTimeNs, 0),
                Math.Max(task.SystemTimeNs - old.SystemTimeNs, 0));
        }

        if (task.IsLeader && task.CgroupPath is { } path && path != old.CgroupPath)
        {
            _tasks.Move(task.Pid, path);
            _report = _report with { Moved = _report.Moved + 1 };
        }

        if (task.IsZombie && !old.IsZombie)
        {
            _tasks.Exit(task.Pid);
        }
    }

    // Nobody comes back from the dead: what had exited and lives is another.
    private bool GoesOn(ProcTask task, Dictionary<int, ProcTask> now) =>
        now.TryGetValue(task.Pid, out var then) && task.StartTimeNs == then.StartTimeNs && task.Tgid == then.Tgid
        && (then.IsZombie || !task.IsZombie)
        && (task.IsLeader || GoesOn(_last[task.Tgid], now));

    private int CountDifferences()
    {
        var differences = 0;
        foreach (var task in _last.Values)
        {
            var made = _tasks.Find(task.Pid);
            if (made is null && task is { IsZombie: true, IsLeader: false })
            {
                continue; // gone in the model already, as nobody has to reap it
            }

            differences += made is null || made.Comm != task.Comm || made.Tgid != task.Tgid
                || (made.Phase == TaskPhase.Alive) == task.IsZombie
                || (task.IsLeader && !task.IsZombie && task.CgroupPath is { } path
                    && made.Cgroup.Path.TrimEnd('/') != path.TrimEnd('/'))
                ? 1 : 0;
        }

        var mine = _kernel.Tasks.All.Where(t => t != _kernel.Tasks.Init && t.Phase == TaskPhase.Alive);
        return differences + mine.Count(t => !_last.ContainsKey(t.Pid));
    }

    // The line "processes N" of /proc/stat: forks since boot, threads included.
    private long? ReadForks()
    {
        const string Key = "processes ";
        var line = new ProcFiles().Read(Path.Combine(_options.Proc, "stat"), "stat")?.Split('\n')
            .FirstOrDefault(l => l.StartsWith(Key, StringComparison.Ordinal));
        return line is not null && long.TryParse(
            line.AsSpan(Key.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var forks) ? forks : null;
    }
}
