using System.Diagnostics.Metrics;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Stress;

/// <summary>
/// One kernel with one map, and everybody at it at once: writers, forks and exits, askers, handlers that throw,
/// threads that come and go.
/// </summary>
internal sealed class Round : IDisposable
{
    private const int TaskCount = 16;
    private readonly KernelModel _kernel;
    private readonly BpfObject _tracker;
    private readonly List<BpfLink> _links = [];
    private readonly StressMap _map;
    private readonly TaskStruct[] _tasks = new TaskStruct[TaskCount];
    private readonly MeterListener _listener = new();
    private readonly bool _isThrowing;
    private Worker? _settling;
    private static readonly string[] Hooked = ["on_newtask", "on_exec", "on_exit"];
    private volatile bool _isOver;

    internal Round(StressConfig config, int seed, bool isThrowing)
    {
        _isThrowing = isThrowing;
        _kernel = new KernelModel(
            new() { LedgerLevel = config.Level, Profile = config.Profile, QuarantineSlotsMax = 16 });
        _tracker = BpfObject.Open(Path.Combine(AppContext.BaseDirectory, "task_tracker.bpf.o")).Load(_kernel);
        _links.AddRange(Hooked.Select(p => _tracker.Programs[p].Attach()));
        _map = config.Map.Create(_kernel);
        Listen();
        for (var i = 0; i < TaskCount; i++)
        {
            _tasks[i] = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        }

        Action<Worker>[] bodies = [Write, Write, ForkAndExit, AskLedger, AskLedger, AskOthers, Err, ComeAndGo];
        Workers = [.. bodies.Select((body, i) => new Worker(body.Method.Name, seed + i, () => _isOver, body))];
    }

    internal IReadOnlyList<Worker> Workers { get; }

    internal IReadOnlyList<string> Failures =>
        [.. Workers.Where(w => w.Failure is not null).Select(w => $"{w.Name} at {w.At}: {w.Failure}")];

    internal void Stop() => _isOver = true;

    /// <summary>
    /// Gives everything back once the workers are through. A worker of its own, so that a hang in it is noticed.
    /// </summary>
    internal Worker BeginSettling() =>
        _settling = new("Settle", 0, () => _settling is not null && _settling.At == "settled", w =>
        {
            if (!Workers.All(x => x.IsEnded))
            {
                Thread.Yield();
                return;
            }

            w.Step("detach");
            _links.ForEach(l => l.Dispose());
            w.Step("exit tasks");
            foreach (var task in _kernel.Tasks.All.Where(t => t != _kernel.Tasks.Init))
            {
                End(task);
            }

            w.Step("dispose maps");
            _map.Dispose();
            _tracker.Dispose();
            w.Step("quiesce");
            Quiesce();
            w.Step("settled");
        });

    /// <summary>What is wrong once all is given back.</summary>
    internal IEnumerable<string> Settle()
    {
        if (_settling?.Failure is { } failure)
        {
            yield return $"settling at {_settling.At}: {failure}";
            yield break;
        }

        foreach (var fault in _kernel.Faults.Where(f => f.Code != DiagCode.WaitInsideReader))
        {
            yield return $"fault {fault}";
        }

        foreach (var entry in _kernel.Ledger.Snapshot().Entries.Where(e => !e.Holder.IsKernel))
        {
            yield return $"{entry.Object} is still held by {entry}";
        }

        var alive = _kernel.Ledger.Snapshot().Entries.Where(e => e.TypeName == "task_struct").Select(e =>
            e.Object).Distinct().Count();
        if (alive != 1)
        {
            yield return $"{alive} tasks are left, not the first one alone";
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        _kernel.Dispose();
    }

    private void Listen()
    {
        _listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == "Kptr")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, _, _, _) => Throw(instrument.Name == "kptr.faults"));
        _listener.Start();
        _kernel.FaultReported += (_, _) =>
        {
            // A handler asks what a person would ask, from inside of whatever went wrong.
            _ = _kernel.Ledger.Snapshot();
            _ = _map.Map.TakeCensus();
            Throw(true);
        };
        _map.Map.FieldDied += death => Throw(death.GetHashCode() % 16 == 0);
    }

    private void Throw(bool isWanted)
    {
        if (_isThrowing && isWanted)
        {
            throw new StressException();
        }
    }

    private void Write(Worker w)
    {
        _kernel.CurrentCpu = w.Random.Next(2);
        _map.Touch(w, _tasks[w.Random.Next(TaskCount)]);
    }

    private void ForkAndExit(Worker w)
    {
        w.Step("fork");
        var task = _kernel.Tasks.Fork(
            _kernel.Tasks.Init, flags: w.Random.Next(4) == 0 ? CloneFlags.NewPid : CloneFlags.None);
        if (w.Random.Next(4) == 0)
        {
            w.Step("exec");
            _kernel.Tasks.Exec(_kernel.Tasks.ForkThread(task), "other");
            task = _kernel.Tasks.Find(task.Pid) ?? task;
        }

        w.Step("exit");
        End(Interlocked.Exchange(ref _tasks[w.Random.Next(TaskCount)], task));
        w.Step("cgroup");
        var cgroup = _kernel.Cgroups.Create($"g{w.Steps}");
        _kernel.Cgroups.Attach(cgroup, task);
        _kernel.Cgroups.Attach(_kernel.Cgroups.Root, task);
        _kernel.Cgroups.Remove(cgroup);
    }

    private void End(TaskStruct task)
    {
        if (task.Phase == TaskPhase.Alive)
        {
            _kernel.Tasks.ExitProcess(task);
        }

        _kernel.Tasks.Reap(task.Leader);
    }

    private void AskLedger(Worker w)
    {
        w.Step("snapshot");
        var snapshot = _kernel.Ledger.Snapshot();
        w.Step("who pins");
        foreach (var task in _tasks)
        {
            _ = _kernel.Ledger.WhoPins(task).ToString();
        }

        w.Step("formats");
        _ = w.Random.Next(4) switch
        {
            0 => snapshot.ToJson(),
            1 => snapshot.ToMermaid(),
            2 => snapshot.Since(_kernel.Ledger.Snapshot()).ToString(),
            _ => snapshot.PinnedBytesByMap().Count.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
    }

    private void AskOthers(Worker w)
    {
        w.Step("metrics");
        _listener.RecordObservableInstruments();
        w.Step("census");
        _ = _map.Map.TakeCensus();
        _ = _map.Map.ToString();
        w.Step("tables");
        _ = _kernel.Tasks.All.Length + _kernel.Cgroups.ChildrenOf(_kernel.Cgroups.Root).Count;
        w.Step("quiesce");
        Quiesce();
        w.Step("clock");
        _kernel.VirtualClock.Advance(TimeSpan.FromMilliseconds(5));
    }

    private void Err(Worker w)
    {
        w.Step("wait inside a reader");
        using var reader = _kernel.Rcu.ReadLock();
        _kernel.Rcu.Synchronize();
        if (_kernel.Faults.Count > 100)
        {
            _kernel.TakeFaults();
        }
    }

    private void ComeAndGo(Worker w)
    {
        w.Step("a thread comes and goes");
        var thread = new Thread(() =>
        {
            using (_kernel.Rcu.ReadLock())
            {
                _tasks[0].TryAcquire()?.Release();
            }

            _map.Touch(w, _tasks[1]);
            _ = _kernel.Ledger.WhoPins(_tasks[2]);
        });
        thread.Start();
        thread.Join();
    }

    // What our own handlers throw comes out of Quiesce and nowhere else.
    private void Quiesce()
    {
        try
        {
            _kernel.Quiesce();
        }
        catch (StressException)
        {
        }
        catch (AggregateException e) when (e.InnerExceptions.All(x => x is StressException))
        {
        }
    }
}
