using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Testing.Scripts;

// What must be true after a step.
internal sealed unsafe partial class ScriptRun
{
    private const int NamesMax = 4;

    /// <summary>Every key gives what the model has, and no object has too few references.</summary>
    /// <param name="rule">The rule that is broken where a live element is not as it should be.</param>
    private void CheckContents(ConformanceCheck rule)
    {
        using var reader = _kernel.Rcu.ReadLock();
        var owners = new Dictionary<ulong, int>();
        var shown = new byte[_shape.UserSize];
        for (var i = 0; i < _shape.KeyCount; i++)
        {
            // The key of the step first: what a map remembers of it, other look-ups would make it forget.
            var key = (_keyOfStep + i) % _shape.KeyCount;
            var bytes = _shape.Key(key);
            var err = _map.LookupElem(bytes, shown);
            var at = _map.ProgLookup(bytes, 0);
            var leads = _model.LeadsTo(_shape, key);
            if (!_model.Live.TryGetValue(leads, out var entry))
            {
                CheckAbsent(key, err, at, shown);
                continue;
            }

            if (err != Errno.None || at == 0)
            {
                throw new BrokenRuleException(
                    rule, $"key {key} is there",
                    at == 0 ? "a program's look-up finds nothing" : $"user space gets {Text(err)}");
            }

            for (var place = 0; place < _shape.PlaceCount; place++)
            {
                CheckValue(leads, entry.Values[place], _map.ProgLookup(bytes, _shape.CpuOf(place)), owners, rule);
            }

            CheckShown(key, shown, entry, rule);
        }

        CheckAddresses(rule);
        CheckNotTooFew();
    }

    // Whole addresses lead to the longest prefix that contains them.
    private void CheckAddresses(ConformanceCheck rule)
    {
        for (var key = 0; _shape.IsTrie && key < _shape.KeyCount; key++)
        {
            var address = Prefixes.AddressBelow(_shape.KeySize, key);
            var leads = _model.Longest(_shape, address);
            var at = _map.ProgLookup(address, 0);
            if (leads < 0 != (at == 0))
            {
                throw new BrokenRuleException(
                    leads < 0 ? Rules.StaleKeys : rule,
                    $"an address below prefix {key} finds {(leads < 0 ? "nothing" : $"prefix {leads}")}",
                    at == 0 ? "nothing" : $"a value at {at:x}");
            }

            var value = leads < 0 ? 0 : _model.Live[leads].Values[_shape.PlaceOf(0)];
            if (at != 0 && !_shape.PlainEquals(new ReadOnlySpan<byte>((void*)at, _shape.ValueSize), value))
            {
                throw new BrokenRuleException(
                    rule, $"an address below prefix {key} finds prefix {leads}, {MapShape.Text(_shape.Shown(value))}",
                    ShownAt(at));
            }
        }
    }

    // One value of a live key, as a program finds it.
    private void CheckValue(int key, ulong value, ulong at, Dictionary<ulong, int> owners, ConformanceCheck rule)
    {
        if (at == 0 || (!owners.TryAdd(at, key) && !(_shape.IsTrie && owners[at] == key)))
        {
            throw new BrokenRuleException(
                at == 0 ? rule : Rules.SlotsApart, "each key has memory of its own, on each CPU",
                at == 0 ? $"key {key} has none on one" : $"keys {owners[at]} and {key} are at {at:x}");
        }

        if (!_shape.PlainEquals(new ReadOnlySpan<byte>((void*)at, _shape.ValueSize), value))
        {
            throw new BrokenRuleException(
                rule, $"key {key} has {MapShape.Text(_shape.Shown(value))}", $"a program reads {ShownAt(at)}");
        }
    }

    private static void CheckAbsent(int key, Errno err, ulong at, byte[] shown)
    {
        if (err == Errno.None || at != 0)
        {
            throw new BrokenRuleException(
                Rules.StaleKeys, $"key {key} is not there",
                err == Errno.None ? $"user space reads {MapShape.Text(shown)}" : $"a program finds a value at {at:x}");
        }

        if (err != Errno.ENOENT)
        {
            throw new BrokenRuleException(Rules.Errnos, $"-ENOENT for key {key}", Text(err));
        }
    }

    private void CheckShown(int key, ReadOnlySpan<byte> shown, MapModel.Entry entry, ConformanceCheck rule)
    {
        for (var place = 0; place < _shape.PlaceCount; place++)
        {
            CheckPart(key, _shape.PartOf(shown, place), entry.Values[place], rule);
        }
    }

    private void CheckPart(int key, ReadOnlySpan<byte> shown, ulong value, ConformanceCheck rule)
    {
        if (!_shape.IsOpaque(shown))
        {
            throw new BrokenRuleException(
                Rules.Opaque, "special fields read as zero", $"key {key} shows {MapShape.Text(shown)}");
        }

        if (!_shape.PlainEquals(shown, value))
        {
            throw new BrokenRuleException(
                rule, $"key {key} has {MapShape.Text(_shape.Shown(value))}",
                $"user space reads {MapShape.Text(shown)}");
        }
    }

    private string ShownAt(ulong value) => MapShape.Text(new ReadOnlySpan<byte>((void*)value, _shape.ValueSize));

    /// <summary>No special field has bytes that an update brought.</summary>
    private void CheckGarbage(params ReadOnlySpan<int> written)
    {
        if (EmptyGarbage(written) is { } key)
        {
            throw new BrokenRuleException(
                Rules.Opaque, "an update leaves special fields alone", $"key {key} has the caller's bytes in a kptr");
        }
    }

    // Where a map wrote them, they must be gone before the kernel takes them for an address.
    private int? EmptyGarbage(ReadOnlySpan<int> keys)
    {
        if (_map.IsFreed || _shape.KptrOffsets.Length == 0)
        {
            return null;
        }

        int? found = null;
        using var reader = _kernel.Rcu.ReadLock();
        foreach (var key in keys)
        {
            foreach (var at in ValuesOf(key))
            {
                found = EmptyGarbage(at) ? key : found;
            }
        }

        return found;
    }

    private bool EmptyGarbage(ulong at)
    {
        var found = false;
        foreach (var offset in at == 0 ? [] : _shape.KptrOffsets)
        {
            ref var word = ref *(ulong*)(at + (ulong)offset);
            if (word == MapShape.GarbageWord)
            {
                word = 0;
                found = true;
            }
        }

        return found;
    }

    // Where a key's value lies, or those of all CPUs; 0 for none.
    private IEnumerable<ulong> ValuesOf(int key) => Enumerable.Range(0, _shape.PlaceCount)
        .Select(place => _map.ProgLookup(_shape.Key(key), _shape.CpuOf(place)));

    private void CheckNotTooFew()
    {
        for (var o = 0; o < _objects.Length; o++)
        {
            var held = _objects[o].Count.Value - _base[o];
            if (held < _model.Known(o))
            {
                throw new BrokenRuleException(
                    Rules.DestroyOnce, $"the map's elements hold {Step.NameOf(o)} {_model.Known(o)} times",
                    $"{held} times");
            }
        }
    }

    /// <summary>Everything deferred has run: what was to be given back is, and nothing else.</summary>
    private void CheckCounts()
    {
        CheckNotTooFew();
        for (var o = 0; o < _objects.Length; o++)
        {
            var held = _objects[o].Count.Value - _base[o];
            var most = IsEager ? _model.Known(o) : _model.Owned[o];
            if (held > most)
            {
                throw new BrokenRuleException(
                    EndOf(o, IsInLiveSlot(o)),
                    $"the map holds {Step.NameOf(o)} {most} times", $"{held} times{Pins(o)}");
            }

            _model.Owned[o] = held;
        }

        _model.Overwritten.Clear();
        _model.Deleted.Clear();
    }

    /// <summary>Which end of an object's element is to blame for a reference that is still there.</summary>
    private ConformanceCheck EndOf(int obj, bool isInLiveSlot) =>
        (_model.Overwritten.Contains(obj), _model.Deleted.Contains(obj)) switch
        {
            (false, false) => Rules.Conservation,
            (true, true) => isInLiveSlot ? Rules.DestroyOnOverwrite : Rules.DestroyOnDelete,
            (true, false) => Rules.DestroyOnOverwrite,
            _ => Rules.DestroyOnDelete,
        };

    private bool IsInLiveSlot(int obj)
    {
        using var reader = _kernel.Rcu.ReadLock();
        return _model.Live.Any(e => ValuesOf(e.Key).Index().Any(v => v.Item != 0
            && e.Value.Held[v.Index].Index().Any(f => f.Item == MapModel.Nothing
                && *KptrAt(v.Item, f.Index) == _objects[obj].Address)));
    }

    /// <summary>
    /// The ledger can name the place of each reference. A script goes on where it cannot: what is forgotten until the
    /// map is freed breaks another rule then.
    /// </summary>
    private void CheckLedger()
    {
        for (var o = 0; o < _objects.Length; o++)
        {
            // What pins an object is looked for in all slots of the map: not for each that nothing pins.
            if (_objects[o].Count.Value > _base[o]
                && _kernel.Ledger.WhoPins(_objects[o]) is var pins && pins.Entries.Any(e => !e.Holder.IsSettled))
            {
                _ledgerBreach ??= new BrokenRuleException(
                    Rules.Conservation, $"the ledger names a place for each reference on {Step.NameOf(o)}",
                    pins.ToString());
            }
        }

        CheckNames();
    }

    // The key that the map tells of a slot is the one that leads to it.
    private void CheckNames()
    {
        // A prefix may be told with anything behind it.
        foreach (var (number, entry) in _model.Live.Take(_shape.IsTrie ? 0 : NamesMax))
        {
            var key = MapHolder.TextOf(_shape.Key(number));
            foreach (var held in entry.Held.SelectMany(h => h).Where(h => h >= 0).Distinct())
            {
                var pins = _kernel.Ledger.WhoPins(_objects[held]);
                if (!pins.Entries.Any(e => e.Holder is MapHolder at && at.Key == key))
                {
                    _ledgerBreach ??= new BrokenRuleException(
                        Rules.Conservation, $"the ledger names key {key} for {Step.NameOf(held)}", pins.ToString());
                }
            }
        }
    }

    /// <summary>A map leaves its caller as it found it.</summary>
    private void CheckNothingIsOpen()
    {
        var open = _kernel.Rcu.IsReader ? "a reader of RCU"
            : _kernel.RcuTrace.IsReader ? "a reader of RCU tasks trace"
            : _kernel.Context != ExecContext.Process ? $"the context {_kernel.Context}"
            : null;
        if (open is not null)
        {
            throw new BrokenRuleException(Rules.Ends, "the operation leaves its caller as it was", $"it leaves {open}");
        }
    }

    /// <summary>The map is freed: each reference that it was given and did not hand out has died.</summary>
    private void CheckDestructors()
    {
        for (var o = 0; o < _objects.Length; o++)
        {
            var calls = _destructors.CallsOf(_objects[o].Address) - _called[o];
            if (calls != _model.Kept[o])
            {
                throw new BrokenRuleException(
                    Rules.Destructors,
                    $"the destructor kfunc of {Step.NameOf(o)} is called {_model.Kept[o]} times, once a reference",
                    $"{calls} times");
            }
        }
    }

    private string Pins(int o) => $"; {_kernel.Ledger.WhoPins(_objects[o])}";

    private void CheckFaults()
    {
        var faults = _kernel.TakeFaults();
        if (faults.Count > 0)
        {
            throw new BrokenRuleException(
                faults[0].Code == DiagCode.SlotStillOwns ? Rules.DestroyOnDelete : Rules.DestroyOnce,
                "the kernel reports no fault", faults[0].ToString());
        }
    }

    private void CheckCensus()
    {
        var census = _map.TakeCensus();
        var live = _atBirth.Live + _model.Live.Count - _liveAtBirth;
        if (_atBirth.Capacity > 0 && _shape.IsFilled && census.Live != live)
        {
            throw new BrokenRuleException(Rules.Census, $"{live} live slots, as many as keys", $"{census}");
        }

        if (!census.IsComplete)
        {
            throw new BrokenRuleException(Rules.Census, "the parts add up to the capacity", $"{census}");
        }
    }
}
