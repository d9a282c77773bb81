namespace Kptr.Testing.Schedules;

/// <summary>What threads did to memory: who met whom, in which order, and what is still in a store buffer.</summary>
internal sealed partial class Scheduler
{
    private readonly Dictionary<nint, Place> _byAddress = [];
    private readonly Dictionary<object, Place> _byObject = new(ReferenceEqualityComparer.Instance);
    private readonly Stack<Place> _spare = [];
    private ulong _state;

    /// <summary>Everything in the thread's store buffer reaches memory.</summary>
    internal void Flush(ScheduledThread self)
    {
        if (self.Held.Count == 0 || IsAborting)
        {
            return;
        }

        // The last moment at which others can run without seeing the stores.
        self.Step++;
        Decide(self, null, 0);
        Drain(self);
    }

    private void Drain(ScheduledThread self)
    {
        foreach (var held in self.Held)
        {
            Record(self, held.Address, null, held.Site, held.SizeBytes);
        }

        self.Held.Clear();
        Progress(self);
    }

    /// <summary>A barrier on every processor at once.</summary>
    internal void FlushAll()
    {
        for (var i = 0; i < _count; i++)
        {
            var thread = _all[i];
            foreach (var held in thread.Held)
            {
                if (Points.Self != thread)
                {
                    held.Show();
                }
            }

            Drain(thread);
        }
    }

    private void Forget()
    {
        foreach (var place in _byAddress.Values.Concat(_byObject.Values))
        {
            place.Reset();
            _spare.Push(place);
        }

        _byAddress.Clear();
        _byObject.Clear();
        _locks.Clear();
        _children.Clear();
        _kept.Clear();
        _state = 0;
    }

    // Of a range every word counts, up to some.
    private void Record(ScheduledThread self, nint address, object? target, int number, int bytes)
    {
        Record(self, address, target, number);
        for (var word = WordBytes; word < Math.Min(bytes, RangeBytesMax); word += WordBytes)
        {
            Record(self, address + word, null, number);
        }
    }

    // States that differ only in the order of independent events have one hash: each event's hash is made of those
    // of the events it depends on, and the state's is their sum.
    private void Record(ScheduledThread self, nint address, object? target, int number)
    {
        var site = sites[number];
        var place = PlaceOf(address & ~(WordBytes - 1), target);
        self.Clock[self.Id]++;
        WakeWhoMeets(place, site);
        place.Meet(self, number, site, Hot, sites);
        if (site.IsSync)
        {
            place.Join(self, isAcquire: site.Kind is not (SiteKind.VolatileWrite or SiteKind.Unlock),
                isRelease: site.Kind is not (SiteKind.VolatileRead or SiteKind.Wait));
        }

        if (!Hot[number] && !site.IsSync)
        {
            return;
        }

        var hash = Mix(self.LastHash ^ (ulong)number, place.WriteHash ^ (site.IsWrite ? place.ReadsHash : 0));
        self.LastHash = hash;
        _state += hash;
        if (site.IsWrite)
        {
            (place.WriteHash, place.ReadsHash) = (hash, 0);
        }
        else
        {
            place.ReadsHash += hash;
        }
    }

    // What the thread does next is not told by what it did: an interrupt may do what it would have done itself.
    private void HappensTo(ScheduledThread self, Option what)
    {
        self.LastHash = Mix(self.LastHash, (ulong)((int)what.Kind << 8) + (ulong)what.Target + 1);
        _state += self.LastHash;
    }

    private Place PlaceOf(nint address, object? target)
    {
        Place? place;
        if (target is not null)
        {
            if (!_byObject.TryGetValue(target, out place))
            {
                _byObject[target] = place = _spare.TryPop(out var old) ? old : new();
            }
        }
        else if (!_byAddress.TryGetValue(address, out place))
        {
            _byAddress[address] = place = _spare.TryPop(out var old) ? old : new();
        }

        return place;
    }

    private ulong StateOf(int thread)
    {
        var waiting = 0UL;
        for (var i = 0; i < _count; i++)
        {
            waiting = (waiting << 2) | (ulong)_all[i].State;
            waiting ^= (ulong)_all[i].Held.Count << (32 + i);
            waiting ^= (ulong)(uint)(_all[i].RunsAfter * 0x9E3779B1) << (i & 31);
        }

        var left = ((ulong)(uint)_left.Preemptions << 40) ^ ((ulong)(uint)_left.Interrupts << 30)
            ^ ((ulong)(uint)_left.HeldStores << 20) ^ ((ulong)(uint)_left.Faults << 10);
        var at = thread < 0 ? 0 : (ulong)_all[thread].Step << 8;
        return Mix(_state ^ Mix(waiting, left), at ^ (ulong)(thread + 1) ^ ((ulong)_options[^1].Kind << 60));
    }

    private static ulong Mix(ulong a, ulong b)
    {
        var x = (a * 0x9E3779B97F4A7C15) ^ (b + 0x2545F4914F6CDD1D + (a << 6) + (a >> 2));
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>A location or an object that threads may share.</summary>
    private sealed class Place
    {
        private readonly List<(int Thread, int Clock, int Site)> _uses = [];

        internal ulong WriteHash { get; set; }

        internal ulong ReadsHash { get; set; }

        internal int[]? Released { get; private set; }

        internal void Reset()
        {
            _uses.Clear();
            (WriteHash, ReadsHash) = (0, 0);
            if (Released is not null)
            {
                Array.Clear(Released);
            }
        }

        internal void Meet(ScheduledThread self, int number, Site site, HotSites hot, SiteTable sites)
        {
            var mine = -1;
            var id = self.IsInInterrupt ? self.Id + ScheduledThread.ThreadsMax : self.Id;
            for (var i = 0; i < _uses.Count; i++)
            {
                var (thread, clock, other) = _uses[i];
                if (thread == id)
                {
                    mine = other == number ? i : mine;
                    continue;
                }

                var met = sites[other];
                if ((met.IsWrite || site.IsWrite || met.Kind == SiteKind.Wait || site.Kind == SiteKind.Wait)
                    && ((met.IsSync && site.IsSync) || IsUnordered(self, thread, clock)))
                {
                    hot.Add(other);
                    hot.Add(number);
                    SeeHeld(hot, (thread, other, met), (id, number, site));
                    SeeHeld(hot, (id, number, site), (thread, other, met));
                }
            }

            var use = (id, self.Clock[self.Id], number);
            if (mine >= 0)
            {
                _uses[mine] = use;
            }
            else
            {
                _uses.Add(use);
            }
        }

        // Others only wait for a lock: that it is held makes no difference to them.
        private static void SeeHeld(
            HotSites hot, (int Thread, int Number, Site Site) seer, (int Thread, int Number, Site Site) holder)
        {
            if (holder.Site.Kind is SiteKind.Unlock or SiteKind.Atomic
                && (seer.Site.Kind == SiteKind.TryLock
                    || (seer.Site.Kind == SiteKind.Lock && seer.Thread >= ScheduledThread.ThreadsMax)))
            {
                hot.AddHeldSeen(holder.Number);
            }
        }

        // A lock does not keep an interrupt out.
        private static bool IsUnordered(ScheduledThread self, int thread, int clock) =>
            thread >= ScheduledThread.ThreadsMax || self.IsInInterrupt || clock > self.Clock[thread];

        internal void Join(ScheduledThread self, bool isAcquire, bool isRelease)
        {
            var released = Released ??= new int[ScheduledThread.ThreadsMax];
            for (var i = 0; i < released.Length; i++)
            {
                if (isAcquire && released[i] > self.Clock[i])
                {
                    self.Clock[i] = released[i];
                }

                if (isRelease && self.Clock[i] > released[i])
                {
                    released[i] = self.Clock[i];
                }
            }
        }
    }
}
