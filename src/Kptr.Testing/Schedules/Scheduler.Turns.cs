namespace Kptr.Testing.Schedules;

/// <summary>Who goes on: the choices at a site, and the hand-over to another thread.</summary>
internal sealed partial class Scheduler
{
    // Before an access of this place; null for what has no one place.
    private void Decide(ScheduledThread self, Place? place, int site)
    {
        if (self.LocksOfKptr > 0)
        {
            Hot.AddRank(self.RankOfKptr);
        }

        var mayGiveWay = true;
        while (true)
        {
            _options.Clear();
            _options.Add(new(OptionKind.Continue, 0));
            if (mayGiveWay && _left.Preemptions > 0)
            {
                AddReady(self);
                LeaveOutWhoSleeps();
            }

            AddInterrupts(self);
            var chosen = Choose(self);
            if (chosen.Kind == OptionKind.Switch)
            {
                _left.Preemptions--;
                FallAsleep(self, place, site);
                SwitchTo(self, _all[chosen.Target]);
                self.AsleepBefore = null;
            }

            // Back again, an interrupt can still come in before the access; after one, the thread can still give way.
            mayGiveWay = InterruptIf(self, chosen);
            if (chosen.Kind == OptionKind.Continue || _interrupts.Length == 0)
            {
                return;
            }

            self.Step++;
        }
    }

    private bool ChooseFrom(ScheduledThread self, Option other)
    {
        _options.Clear();
        _options.Add(new(OptionKind.Continue, 0));
        _options.Add(other);
        return Choose(self).Kind != OptionKind.Continue;
    }

    private Option Choose(ScheduledThread? self, Option usual = default)
    {
        var (id, step) = self is null ? (-1, 0) : (self.Id, self.Step);
        var index = 0;
        if (_options.Count > 1)
        {
            ChoiceCount++;
            index = _chooser.Choose(id, step, _options, StateOf(id), Asleep);
        }

        var chosen = _options[index];
        if (chosen != usual)
        {
            Turns.Add(new(id, step, chosen));
        }

        return chosen;
    }

    // A bit for each thread that can go on.
    private int Ready
    {
        get
        {
            var ready = 0;
            for (var i = 0; i < _count; i++)
            {
                ready |= _all[i].State == ThreadState.Ready ? 1 << i : 0;
            }

            return ready;
        }
    }

    private void AddReady(ScheduledThread? except)
    {
        var ready = Ready;
        for (var i = 0; i < _count; i++)
        {
            if (_all[i] != except && _all[i].State == ThreadState.Ready && (_all[i].RunsAfter & ready) == 0)
            {
                _options.Add(new(OptionKind.Switch, i));
            }
        }
    }

    // The thread cannot go on: somebody else must. Null where the run is over.
    private ScheduledThread? Next(ScheduledThread? self)
    {
        _options.Clear();
        AddReady(self);
        var usual = _options.Count == 0 ? default : _options[0];
        if (self is not { State: ThreadState.Done })
        {
            WakeAll();
        }
        else
        {
            LeaveOutWhoSleeps();
            if (_options.Count == 0 && usual != default)
            {
                _chooser.Cut();
                _options.Add(usual);
            }
        }

        if (_options.Count == 0)
        {
            if (TimeOut() is { } late)
            {
                return late;
            }

            // Who waits for nobody in particular may find that the time has come; one after the other.
            var spinner = Threads.Skip((self?.Id ?? -1) + 1).Concat(Threads)
                .FirstOrDefault(t => t.State == ThreadState.Spinning);
            if (spinner is null && Threads.Any(t => t.State == ThreadState.Blocked))
            {
                Abort("deadlock: every thread waits" + Describe());
            }

            return spinner;
        }

        return _all[Choose(self, usual).Target];
    }

    private void GiveWay(ScheduledThread self)
    {
        var next = Next(self);
        if (next is null)
        {
            Unwind(self, isBlocking: true);
        }
        else if (next != self)
        {
            SwitchTo(self, next);
        }
    }

    private void SwitchTo(ScheduledThread self, ScheduledThread next)
    {
        for (var i = self.Held.Count - 1; i >= 0; i--)
        {
            self.Held[i].Hide();
        }

        Show(next);
        next.Resume();
        self.AwaitTurn();
        if (IsAborting)
        {
            Unwind(self, isBlocking: true);
        }
    }

    private void Show(ScheduledThread next)
    {
        for (var i = 0; i < _count; i++)
        {
            _all[i].RunsAfter &= ~(1 << next.Id);
            _all[i].RanSinceSpin |= 1 << next.Id;
        }

        foreach (var held in next.Held)
        {
            held.Show();
        }
    }
}
