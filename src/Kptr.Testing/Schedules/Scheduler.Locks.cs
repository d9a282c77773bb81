namespace Kptr.Testing.Schedules;

/// <summary>
/// Locks and conditions. The real lock is taken as well, after ours, when nobody holds it: no thread waits for it.
/// </summary>
internal sealed partial class Scheduler
{
    private readonly Dictionary<object, Gate> _locks = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<object, bool> _children = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Thread, Action> _kept = [];

    internal void LockEnter(ScheduledThread self, object target, int site)
    {
        var gate = GateOf(target);
        if (IsAborting)
        {
            Unwind(self, isBlocking: gate.Owner is not null && gate.Owner != self);
            gate.Take(self);
            return;
        }

        Step(self, site);
        var step = self.Step;
        if (Hot[site])
        {
            Decide(self, PlaceOf(0, target), site);
        }

        Flush(self);
        Take(self, target, gate);
        Trace.Add((self.Id, step, site));
        Record(self, 0, target, site);
        Progress(self);
    }

    internal bool TryLockEnter(ScheduledThread self, object target, int site)
    {
        var gate = GateOf(target);
        if (!IsAborting)
        {
            Access(self, 0, target, site);
        }

        if (gate.Owner is not null && gate.Owner != self)
        {
            gate.Owner.AsleepBefore = null;     // it would have given the lock back, had it gone on
            return false;
        }

        if (gate.Owner == self && self.IsInInterrupt && !gate.IsOfInterrupt)
        {
            return false;
        }

        gate.Take(self);
        return true;
    }

    /// <summary>Gives a lock back, in our books; nobody else runs before the real lock is given back too.</summary>
    internal void LockExit(ScheduledThread self, object target, int site)
    {
        var gate = GateOf(target);
        if (gate.Owner != self)
        {
            return;
        }

        BeforeRelease(self, target, gate, site);
        if (--gate.Count > 0)
        {
            return;
        }

        gate.Owner = null;
        if (!IsAborting)
        {
            Record(self, 0, target, site);
            Wake(target);
            Progress(self);
        }
    }

    // The lock is given back come what may, the real one too: what ends the schedule here ends it at the next site.
    private void BeforeRelease(ScheduledThread self, object target, Gate gate, int site)
    {
        if (IsAborting)
        {
            return;
        }

        try
        {
            Flush(self);
            self.Step += gate.Count == 1 ? 1 : 0;
            if (gate.Count == 1 && Hot.IsHeldSeen(site))
            {
                Decide(self, PlaceOf(0, target), site);
            }
        }
        catch (ScheduleEndedException)
        {
            self.IsUnwinding = false;
        }
    }

    internal bool MonitorWait(ScheduledThread self, object target, bool isTimed, int site)
    {
        if (IsAborting)
        {
            Unwind(self, isBlocking: true);
        }

        var gate = GateOf(target);
        if (gate.Owner != self)
        {
            throw new SynchronizationLockException();
        }

        Step(self, site);
        Trace.Add((self.Id, self.Step, site));
        Flush(self);
        if (Hot.IsHeldSeen(site))
        {
            Decide(self, PlaceOf(0, target), site);
        }

        var count = gate.Count;
        (gate.Owner, gate.Count) = (null, 0);
        for (var i = 0; i < count; i++)
        {
            Monitor.Exit(target);
        }

        Record(self, 0, target, site);
        Wake(target);
        self.IsPulsed = false;
        self.IsTimed = isTimed;
        gate.Waiting.Add(self);
        try
        {
            Block(self, gate);
            Take(self, target, gate);
        }
        finally
        {
            gate.Waiting.Remove(self);
            for (var i = 0; i < count; i++)
            {
                Monitor.Enter(target);
            }
        }

        gate.Count = count;
        Record(self, 0, target, site);
        return self.IsPulsed;
    }

    internal void Pulse(ScheduledThread self, object target, bool all, int site)
    {
        var gate = GateOf(target);
        if (IsAborting)
        {
            return;
        }

        if (gate.Owner != self)
        {
            throw new SynchronizationLockException();
        }

        Step(self, site);
        Trace.Add((self.Id, self.Step, site));
        Record(self, 0, target, site);
        foreach (var waiter in all ? gate.Waiting.ToArray() : gate.Waiting.Take(1).ToArray())
        {
            gate.Waiting.Remove(waiter);
            waiter.IsPulsed = true;
            waiter.State = ThreadState.Ready;
        }
    }

    internal void Keep(Thread thread, ThreadStart body) => _kept[thread] = () => body();

    internal bool TryTakeBody(Thread thread, out Action body) => _kept.Remove(thread, out body!);

    internal bool IsDone(object token) => _children.ContainsKey(token);

    private void Finished(object token) => _children[token] = true;

    private Gate GateOf(object target)
    {
        if (!_locks.TryGetValue(target, out var gate))
        {
            _locks[target] = gate = new(target);
        }

        return gate;
    }

    private void Take(ScheduledThread self, object target, Gate gate)
    {
        if (gate.Owner == self && self.IsInInterrupt && !gate.IsOfInterrupt)
        {
            Abort($"deadlock: an interrupt on thread {self.Id} takes {NameOf(target)}, which that thread holds"
                + Describe());
            Unwind(self, isBlocking: true);
        }

        while (gate.Owner is not null && gate.Owner != self)
        {
            Block(self, target);
        }

        gate.Take(self);
    }

    private void Block(ScheduledThread self, object on)
    {
        (self.State, self.WaitsFor) = (ThreadState.Blocked, on);
        GiveWay(self);
        (self.State, self.WaitsFor) = (ThreadState.Ready, null);
    }

    private void Wake(object target)
    {
        for (var i = 0; i < _count; i++)
        {
            if (_all[i].State == ThreadState.Blocked && ReferenceEquals(_all[i].WaitsFor, target))
            {
                _all[i].State = ThreadState.Ready;
            }
        }
    }

    // Nobody else can run: the time of a wait that has an end is over.
    private ScheduledThread? TimeOut()
    {
        var late = Threads.FirstOrDefault(
            t => t is { State: ThreadState.Blocked, IsTimed: true } && t.WaitsFor is Gate);
        if (late is not null)
        {
            late.State = ThreadState.Ready;
        }

        return late;
    }

    private string NameOf(object? target) => target switch
    {
        Gate gate => $"a pulse of {NameOf(gate.Target)}",
        null => "nothing",
        _ => $"{target.GetType().Name} #{_locks.Keys.TakeWhile(k => !ReferenceEquals(k, target)).Count()}"
            + (_locks.GetValueOrDefault(target)?.Owner is { } owner ? $" (thread {owner.Id} holds it)" : ""),
    };

    private sealed class Gate(object target)
    {
        internal object Target => target;

        internal ScheduledThread? Owner { get; set; }

        internal int Count { get; set; }

        internal bool IsOfInterrupt { get; private set; }

        internal List<ScheduledThread> Waiting { get; } = [];

        internal void Take(ScheduledThread self)
        {
            Owner = self;
            if (Count++ == 0)
            {
                IsOfInterrupt = self.IsInInterrupt;
            }
        }
    }
}
