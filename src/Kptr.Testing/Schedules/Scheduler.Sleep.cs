namespace Kptr.Testing.Schedules;

/// <summary>
/// Which turns would only repeat others: sleep sets (Godefroid), for a search that counts turns.
/// </summary>
/// <remarks>
/// A thread gives way before an access. What others do until it goes on either meets that access, or the thread could
/// as well have made it first and given way at its next hot site: as many turns, and gone through already, since a
/// thread's going on is tried first. So it sleeps: nobody turns back to it before somebody did something at the place
/// of its access, and if all others end before that, the rest of the schedule is known. Where somebody has to wait all
/// are awake: that turn is free, and would not be had the sleeper gone on and given back what is waited for.
/// </remarks>
internal sealed partial class Scheduler
{
    // A bit for each thread that sleeps.
    private int Asleep
    {
        get
        {
            var asleep = 0;
            for (var i = 0; i < _count; i++)
            {
                asleep |= _all[i].AsleepBefore is null ? 0 : 1 << i;
            }

            return asleep;
        }
    }

    private void LeaveOutWhoSleeps() =>
        _options.RemoveAll(o => o.Kind == OptionKind.Switch && _all[o.Target].AsleepBefore is not null);

    private void FallAsleep(ScheduledThread self, Place? place, int site)
    {
        // What is in a store buffer is at no place yet.
        if (_chooser.IsExhaustive && Threads.All(t => t.Held.Count == 0))
        {
            (self.AsleepBefore, self.AsleepAt) = (place, site);
        }
    }

    private void WakeWhoMeets(Place place, Site site)
    {
        for (var i = 0; i < _count; i++)
        {
            if (ReferenceEquals(_all[i].AsleepBefore, place))
            {
                var other = sites[_all[i].AsleepAt];
                if (site.IsWrite || other.IsWrite || site.Kind == SiteKind.Wait || other.Kind == SiteKind.Wait)
                {
                    _all[i].AsleepBefore = null;
                }
            }
        }
    }

    private void WakeAll()
    {
        for (var i = 0; i < _count; i++)
        {
            _all[i].AsleepBefore = null;
        }
    }
}
