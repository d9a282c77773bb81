using System.Text;

namespace Kptr.Testing.Schedules;

/// <summary>
/// Runs the threads of a scenario one at a time, and asks a chooser at each hot site who goes on. Everything here is
/// called by the thread that has the baton, or by the one that waits for the run to end.
/// </summary>
internal sealed partial class Scheduler(SiteTable sites, int stepsMax, MemoryOrder order)
{
    internal const int WordBytes = 8;
    internal const int RangeBytesMax = 512;
    private const int IdleReadsMax = 500;
    private const int IdleSpinsMax = 300;
    private readonly List<ScheduledThread> _all = [];
    private readonly Baton _over = new();
    private readonly List<Option> _options = [];
    private IChooser _chooser = new Given([]);
    private Action[] _interrupts = [];
    private Budgets _left;
    private int _count;
    private int _steps;
    private int _idleReads;
    private int _idleSpins;

    /// <summary>Sites that matter: threads meet there in no order that a lock gives.</summary>
    internal HotSites Hot { get; } = new(sites);

    internal SiteTable Sites => sites;

    /// <summary>Sites at which threads met, in any run so far.</summary>
    internal HashSet<int> MetSites => Hot.Met;

    internal bool IsAborting { get; private set; }

    /// <summary>Why the run failed; null while it has not.</summary>
    internal string? Failure { get; private set; }

    /// <summary>The choices that were not the usual ones.</summary>
    internal List<Turn> Turns { get; } = [];

    /// <summary>Passes through sites, in their order; -1 for the first interrupt, and so on.</summary>
    internal List<(int Thread, int Step, int Site)> Trace { get; } = [];

    /// <summary>Points at which there was a choice.</summary>
    internal int ChoiceCount { get; private set; }

    private IEnumerable<ScheduledThread> Threads => _all.Take(_count);

    /// <summary>Runs the threads and then the interrupts, each to its end, to see where they meet.</summary>
    internal void LookAround(Action[] bodies, Action[] interrupts) =>
        Run([.. bodies, .. interrupts.Select(i => (Action)(() => InInterrupt(i)))], [], new Given([]), default);

    internal void Run(Action[] bodies, Action[] interrupts, IChooser chooser, Budgets budgets)
    {
        _chooser = chooser;
        (_interrupts, _left) = (interrupts, budgets);
        _count = _steps = _idleReads = _idleSpins = ChoiceCount = 0;
        (IsAborting, Failure) = (false, null);
        Turns.Clear();
        Trace.Clear();
        Forget();
        foreach (var body in bodies)
        {
            Add(body);
        }

        var first = _all[0];
        if (Next(null) is { } next && next != first)
        {
            Show(next);
            next.Resume();
            first.AwaitTurn();
        }

        first.RunBody();
        _over.Take();
        if (!IsAborting)
        {
            return;
        }

        for (var i = 0; i < _count; i++)
        {
            if (_all[i].State != ThreadState.Done)
            {
                _all[i].Resume();
                _over.Take();
            }
        }
    }

    /// <summary>Ends the real threads; the next run has others.</summary>
    internal void Dismiss()
    {
        _all.ForEach(t => t.Dismiss());
        _all.Clear();
    }

    /// <summary>A thread's body is over; called on that thread.</summary>
    internal void Ended(ScheduledThread self, Exception? thrown)
    {
        self.State = ThreadState.Done;
        if (thrown is not null and not ScheduleEndedException)
        {
            Abort($"thread {self.Id} threw {thrown.GetType().Name}: {thrown.Message}");
        }

        if (!IsAborting && Threads.Any(t => t.State != ThreadState.Done))
        {
            self.Step++;
            Progress(self);
            if (Next(self) is { } next)
            {
                Show(next);
                next.Resume();
                return;
            }
        }

        // The first thread is the one that waits for the end: it unwinds before it does.
        if (self.Id != 0 && _all[0].State != ThreadState.Done)
        {
            _all[0].Resume();
            return;
        }

        _over.Give();
    }

    /// <summary>Passes a site. True where the store that follows is to be held in the store buffer.</summary>
    /// <param name="self">The thread.</param>
    /// <param name="address">Where it reads or writes; 0 for an object's own business.</param>
    /// <param name="target">The object.</param>
    /// <param name="site">The site.</param>
    /// <param name="canHold">Whether the store can be held.</param>
    /// <param name="bytes">How many it reads or writes.</param>
    /// <param name="isPlain">Whether what it stores are plain values: where the site is no volatile one, the store may
    /// be seen before earlier ones, if the processor lets it.</param>
    internal bool Access(
        ScheduledThread self, nint address, object? target, int site, bool canHold = false, int bytes = WordBytes,
        bool isPlain = false)
    {
        if (IsAborting)
        {
            Unwind(self, isBlocking: false);
            return false;
        }

        Step(self, site);
        var step = self.Step;
        var kind = sites[site].Kind;
        var holds = false;
        if (Hot[site])
        {
            Decide(self, bytes > WordBytes ? null : PlaceOf(address & ~(WordBytes - 1), target), site);
            holds = canHold && MayHold(self) && ChooseFrom(self, new(OptionKind.Hold, 0));
            _left.HeldStores -= holds ? 1 : 0;
            if (holds && order != MemoryOrder.X86)
            {
                HappensTo(self, new(OptionKind.Hold, 0));   // which of its stores are held tells nobody else
            }
        }

        Trace.Add((self.Id, step, site));
        if (!holds && self.Held.Count > 0)
        {
            if (kind is SiteKind.Write or SiteKind.VolatileWrite)
            {
                var isNext = order == MemoryOrder.X86 || kind == SiteKind.VolatileWrite || !isPlain
                    || self.Holds(address, bytes);
                holds = isNext && canHold;      // it leaves the buffer after what is in there
                if (isNext && !holds)
                {
                    Flush(self);
                }
            }
            else if (kind is not (SiteKind.Read or SiteKind.VolatileRead))
            {
                Flush(self);
            }
        }

        if (!holds)
        {
            Record(self, address, target, site, bytes);
            if (sites[site].IsWrite && (sites[site].IsSync || Hot[site]))
            {
                Progress(self);     // elsewhere it is nobody's business but the thread's own
            }
            else if (++_idleReads > IdleReadsMax)
            {
                Spin(self, site);
            }
        }

        return holds;
    }

    /// <summary>Whether a store could stay in the thread's store buffer now.</summary>
    internal bool MayHold(ScheduledThread self) => _left.HeldStores > 0 && !self.IsInInterrupt && !IsAborting
        && (self.Held.Count == 0 || order != MemoryOrder.X86);

    /// <summary>The same, or whether it would have to follow those that are there.</summary>
    internal bool MayTakeIn(ScheduledThread self) => self.Held.Count > 0 || MayHold(self);

    /// <summary>Code asks whether it should fail here.</summary>
    internal bool Fault(ScheduledThread self)
    {
        if (IsAborting || _left.Faults <= 0)
        {
            return false;
        }

        self.Step++;
        if (!ChooseFrom(self, new(OptionKind.Fail, 0)))
        {
            return false;
        }

        _left.Faults--;
        HappensTo(self, new(OptionKind.Fail, 0));
        return true;
    }

    /// <summary>The thread waits for what others do, and looks again when they did something.</summary>
    internal void Spin(ScheduledThread self, int site)
    {
        if (IsAborting)
        {
            Unwind(self, isBlocking: true);
        }

        Step(self, site);
        Trace.Add((self.Id, self.Step, site));
        Flush(self);
        if (_idleSpins++ > IdleSpinsMax)
        {
            Abort("livelock: threads wait for each other and nobody changes anything" + Describe());
            Unwind(self, isBlocking: true);
        }

        _idleReads = 0;
        self.State = ThreadState.Spinning;
        self.WaitsFor = sites[site].What;
        LetOthersRunFirst(self);
        GiveWay(self);
        self.State = ThreadState.Ready;
    }

    // Fairness (Musuvathi and Qadeer): who spins again waits for all who could run since it spun last, and did not.
    // Else two threads that try the lock of a third wake each other for ever.
    private void LetOthersRunFirst(ScheduledThread self)
    {
        self.RunsAfter |= Ready & ~self.RanSinceSpin & ~(1 << self.Id);
        self.RanSinceSpin = 0;
    }

    /// <summary>A thread of the scenario starts another.</summary>
    internal void Spawn(ScheduledThread self, Action body, object token, int site)
    {
        Access(self, 0, token, site);
        if (_count == ScheduledThread.ThreadsMax)
        {
            throw new InvalidOperationException($"a scenario has at most {ScheduledThread.ThreadsMax} threads");
        }

        var child = Add(() =>
        {
            body();
            Finished(token);
        });
        self.Clock.CopyTo(child.Clock, 0);
        child.LastHash ^= self.LastHash;
    }

    private ScheduledThread Add(Action body)
    {
        if (_count == _all.Count)
        {
            _all.Add(new(this, _count));
        }

        var thread = _all[_count++];
        thread.Reset(body);
        return thread;
    }

    private void Step(ScheduledThread self, int site)
    {
        self.Step++;
        self.LastSite = site;
        if (++_steps > stepsMax)
        {
            Abort($"livelock: {stepsMax} steps and no end" + Describe());
            Unwind(self, isBlocking: true);
        }
    }

    private void Progress(ScheduledThread self)
    {
        _idleReads = _idleSpins = 0;
        for (var i = 0; i < _count; i++)
        {
            if (_all[i].State == ThreadState.Spinning && _all[i] != self)
            {
                _all[i].State = ThreadState.Ready;
            }
        }
    }

    private void Abort(string why)
    {
        Failure ??= why;
        IsAborting = true;
    }

    private static void Unwind(ScheduledThread self, bool isBlocking)
    {
        if (isBlocking || !self.IsUnwinding)
        {
            self.IsUnwinding = true;
            throw new ScheduleEndedException();
        }
    }

    private string Describe()
    {
        var text = new StringBuilder();
        foreach (var thread in Threads)
        {
            var last = thread.LastSite < 0 ? null : sites[thread.LastSite];
            var at = last is null ? "its start" : $"{last.Place} ({last.What})";
            text.Append($"\n  thread {thread.Id}: ").Append(thread.State switch
            {
                ThreadState.Done => "has ended",
                ThreadState.Blocked => $"waits at {at} for {NameOf(thread.WaitsFor)}",
                ThreadState.Spinning => $"spins at {at}",
                _ => $"runs at {at}",
            });
        }

        return text.ToString();
    }
}
