namespace Kptr.Testing.Schedules;

/// <summary>
/// What runs on top of a thread: before an access of a hot site, before a lock of Kptr's own, and at the end.
/// </summary>
internal sealed partial class Scheduler
{
    /// <summary>
    /// A lock of Kptr's own is taken next, which no interrupt comes in under: the last moment for one.
    /// </summary>
    internal void EnterLockOfKptr(ScheduledThread self, int rank)
    {
        if (self.LocksOfKptr == 0 && !IsAborting)
        {
            LetInterruptsIn(self, Hot.IsHotRank(rank));
            self.RankOfKptr = rank;
        }

        self.LocksOfKptr++;
    }

    /// <summary>The thread did all it had to do.</summary>
    internal void LastMoment(ScheduledThread self)
    {
        if (!IsAborting)
        {
            LetInterruptsIn(self, Hot.Count > 0);
        }
    }

    private void LetInterruptsIn(ScheduledThread self, bool isHot)
    {
        self.Step++;
        do
        {
            _options.Clear();
            _options.Add(new(OptionKind.Continue, 0));
            if (isHot)
            {
                AddInterrupts(self);
            }
        }
        while (InterruptIf(self, Choose(self)));
    }

    private bool InterruptIf(ScheduledThread self, Option chosen)
    {
        if (chosen.Kind != OptionKind.Interrupt)
        {
            return false;
        }

        _left.Interrupts--;
        Trace.Add((self.Id, self.Step, -1 - chosen.Target));
        HappensTo(self, chosen);
        InInterrupt(_interrupts[chosen.Target]);
        HappensTo(self, default);
        self.Step++;
        return true;
    }

    private void AddInterrupts(ScheduledThread self)
    {
        for (var i = 0; i < _interrupts.Length && _left.Interrupts > 0 && self.IsInterruptible; i++)
        {
            _options.Add(new(OptionKind.Interrupt, i));
        }
    }

    private static void InInterrupt(Action interrupt)
    {
        var self = Points.Self!;
        self.IsInInterrupt = true;
        interrupt();
        self.IsInInterrupt = false;
    }
}
