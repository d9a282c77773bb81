using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Testing.Scripts;

// What the steps do to the map and to the model.
internal sealed unsafe partial class ScriptRun
{
    private bool IsIndexed => _can.Keys == MapKeys.Index;

    // Local storage ends what it holds under every policy.
    private bool IsEager => _policy == DestroyBehavior.Eager || _can.Keys == MapKeys.Owner;

    // What a value that was written anew may hold in its kptrs.
    private int AfterWrite => IsEager ? MapModel.Nothing : MapModel.Unknown;

    private string Update(Step step)
    {
        var key = _shape.Key(step.Key);
        var exists = _model.Live.ContainsKey(step.Key);
        var isOne = !step.IsUser || IsForOneCpu(step);
        var value = isOne ? _shape.WrittenOne(step.Value) : _shape.Written(step.Value);
        var flags = IsForOneCpu(step) ? MapCpu.Only(step.Cpu) : step.Flags;
        var err = step.IsUser
            ? OnCpu(step.Cpu, () => _map.UpdateElem(key, value, flags))
            : AsProgram(step, () => _map.ProgUpdate(key, value, flags, step.Cpu));
        CheckGarbage(step.Key);
        CheckUpdateErrno(step with { Flags = FlagsOf(step) }, exists, err);
        if (err == Errno.None)
        {
            int? one = isOne && _shape.IsPerCpu ? _shape.PlaceOf(step.Cpu) : null;
            if (one is not null && _can.WhenFull == WhenFull.Evict && IsMadeAnew(step.Key, one.Value))
            {
                Remove(step.Key);
            }

            var isKept = exists && _can.LockKeepsFields && (step.Flags & MapUpdateFlags.Lock) != 0;
            NoteWrite(step.Key, step.Value, one, isKept);
        }

        NoteEvictions(err == Errno.None ? step.Key : -1);
        CheckContents(err == Errno.None ? Rules.Contents : Rules.FailedMovesNothing);
        return Text(err);
    }

    private string Fill(Step step)
    {
        // Of a map that makes room more than there is, so that it has to.
        var count = _can.WhenFull == WhenFull.Evict ? _shape.KeyCount : Math.Min(_shape.Capacity, _shape.KeyCount);
        for (var key = 0; key < count; key++)
        {
            Update(new(StepKind.Update, key, step.Value + (ulong)key, Cpu: step.Cpu));
        }

        return $"{_model.Live.Count} keys";
    }

    private bool IsForOneCpu(Step step) => step is { IsUser: true, Flags: MapUpdateFlags.Cpu } && _shape.IsPerCpu;

    // BPF_F_CPU is newer than the eager policy. Of per-CPU maps, its kernel takes create and replace only where they
    // are alone.
    private MapUpdateFlags FlagsOf(Step step) =>
        _shape.IsPerCpu && !IsEager && step.IsUser && step.Flags is > MapUpdateFlags.Exist and not MapUpdateFlags.Lock
            ? MapUpdateFlags.Any
            : _shape.HasLock ? step.Flags & ~MapUpdateFlags.Lock : step.Flags;

    // The value of one place is written, or those of all (null). A new element's other values are zero.
    private void NoteWrite(int key, ulong value, int? one, bool isKept = false)
    {
        if (_model.Live.TryGetValue(key, out var entry))
        {
            _model.Leaving++;
        }
        else
        {
            entry = _model.Insert(key, AfterWrite);
        }

        for (var place = one ?? 0; place <= (one ?? (_shape.PlaceCount - 1)); place++)
        {
            entry.Values[place] = value + (one is null ? (ulong)place * MapShape.PlaceStep : 0);
            if (!isKept)
            {
                EndHeld(entry.Held[place], Rules.DestroyOnOverwrite);
                Array.Fill(entry.Held[place], AfterWrite);
            }
        }
    }

    private void CheckUpdateErrno(Step step, bool exists, Errno err)
    {
        var isIndexOff = IsIndexed && step.Key >= _shape.Capacity;
        var isNew = !exists && step.Flags != MapUpdateFlags.Exist;
        var expected = step.Flags > MapUpdateFlags.Exist ? Errno.EINVAL
            : isIndexOff ? Errno.E2BIG
            : exists && step.Flags == MapUpdateFlags.NoExist ? Errno.EEXIST
            : !exists && step.Flags == MapUpdateFlags.Exist ? Errno.ENOENT
            : isNew && _can.WhenFull == WhenFull.Refuse && _model.Live.Count >= _shape.Capacity ? _can.FullErrno
            : Errno.None;
        if (err == expected || (expected == Errno.EINVAL && isIndexOff && err == Errno.E2BIG)
            || IsOwnVictim(step, exists, err))
        {
            return;
        }

        // A test asked for it; or the room of elements that readers may still look at is not back yet.
        var isNoRoom = err is Errno.E2BIG or Errno.ENOMEM || err == _can.FullErrno;
        if (isNoRoom && _isAllocationToFail && step.Flags <= MapUpdateFlags.Exist)
        {
            _isAllocationToFail = false;
            return;
        }

        if (isNoRoom && expected == Errno.None && _can.KeptFor != GracePeriods.None
            && _model.Live.Count + _model.Leaving >= _shape.Capacity)
        {
            return;
        }

        throw new BrokenRuleException(Rules.Errnos, Text(expected), Text(err));
    }

    // Linux's LRU maps make room before they look the key up, and may push out the very key that is updated.
    private bool IsOwnVictim(Step step, bool exists, Errno err) => _can.WhenFull == WhenFull.Evict && exists
        && ((step.Flags == MapUpdateFlags.Exist && err == Errno.ENOENT)
            || (step.Flags == MapUpdateFlags.NoExist && err == Errno.None));

    // As above, where the value of one CPU was written: the others are as in a new element then, which has recycled
    // memory's kptrs.
    private bool IsMadeAnew(int key, int written)
    {
        if (!_model.Live.TryGetValue(key, out var entry))
        {
            return false;
        }

        using var reader = _kernel.Rcu.ReadLock();
        return ValuesOf(key).Index().Where(v => v.Index != written).All(v => v.Item != 0
            && _shape.PlainEquals(new ReadOnlySpan<byte>((void*)v.Item, _shape.ValueSize), 0)
            && (!IsEager || entry.Held[v.Index].Index().All(f => f.Item < 0 || *KptrAt(v.Item, f.Index) == 0)));
    }

    private ulong* KptrAt(ulong value, int field) => (ulong*)(value + (ulong)_shape.KptrOffsets[field]);

    private string Delete(Step step)
    {
        var key = _shape.Key(step.Key);
        var exists = _model.Live.ContainsKey(step.Key);
        var err = step.IsUser
            ? OnCpu(step.Cpu, () => _map.DeleteElem(key))
            : AsProgram(step, () => _map.ProgDelete(key, step.Cpu));
        var expected = !_can.CanDelete ? Errno.EINVAL : exists ? Errno.None : Errno.ENOENT;
        if (err != expected)
        {
            throw new BrokenRuleException(Rules.Errnos, Text(expected), Text(err));
        }

        if (err == Errno.None)
        {
            Remove(step.Key);
        }

        CheckContents(err == Errno.None ? Rules.Contents : Rules.FailedMovesNothing);
        return Text(err);
    }

    private string Take(Step step)
    {
        var value = new byte[_shape.UserSize];
        var err = OnCpu(step.Cpu, () => _map.LookupAndDeleteElem(_shape.Key(step.Key), value));
        var expected = _model.Live.TryGetValue(step.Key, out var entry) ? Errno.None : Errno.ENOENT;
        if (err != expected)
        {
            throw new BrokenRuleException(Rules.Errnos, Text(expected), Text(err));
        }

        if (err == Errno.None)
        {
            CheckShown(step.Key, value, entry!, Rules.Contents);
            Remove(step.Key);
        }

        CheckContents(err == Errno.None ? Rules.Contents : Rules.FailedMovesNothing);
        return Text(err);
    }

    // A program exchanges the kptr of a value that it found.
    private string Exchange(Step step)
    {
        using var reader = _kernel.Rcu.ReadLock();
        var at = _map.ProgLookup(_shape.Key(step.Key), step.Cpu);
        if (at == 0 || !_model.Live.TryGetValue(_model.LeadsTo(_shape, step.Key), out var entry))
        {
            return "no such key";
        }

        var next = step.Kind == StepKind.Store ? step.Object : MapModel.Nothing;
        var old = _shape.Exchange(at, step.Field, next < 0 ? null : _objects[next]);
        var found = old is null ? MapModel.Nothing : Array.IndexOf(_objects, old);
        ref var held = ref entry.Held[_shape.PlaceOf(step.Cpu)][step.Field];
        var expected = held;
        held = next;
        if (next >= 0)
        {
            _model.Owned[next]++;
            _model.Kept[next]++;
        }

        var isKnown = found == MapModel.Nothing || (found >= 0 && _model.Owned[found] > 0);
        if (found >= 0)
        {
            _model.Owned[found]--;
            _model.Kept[found]--;
        }

        if (!isKnown || (expected != MapModel.Unknown && found != expected))
        {
            throw new BrokenRuleException(
                found == MapModel.Nothing ? Rules.DestroyOnce
                    : found >= 0 && expected == MapModel.Nothing ? EndOf(found, isInLiveSlot: true)
                    : Rules.Conservation,
                $"the field held {Step.NameOf(expected)}", old is null ? "nothing" : Step.NameOf(found));
        }

        CheckContents(Rules.Contents);
        return $"was {Step.NameOf(found)}";
    }

    private string Iterate(Step step)
    {
        var seen = new List<int>();
        var key = Array.Empty<byte>();
        var next = new byte[_shape.KeySize];
        var isOtherBegun = step.Value % 2 == 0;
        Errno err;
        while ((err = _map.GetNextKey(key, next)) == Errno.None && seen.Count <= _model.Live.Count)
        {
            seen.Add(_shape.NumberOf(next));
            key = [.. next];
            if (isOtherBegun)
            {
                // Somebody else begins a walk meanwhile.
                _map.GetNextKey([], new byte[_shape.KeySize]);
            }
        }

        CheckWalk(seen);
        if (err != Errno.ENOENT)
        {
            throw new BrokenRuleException(Rules.Iteration, "ENOENT after the last key", Text(err));
        }

        if (_shape.IsTrie)
        {
            CheckOrder(seen);
        }

        if (seen.Count > 0)
        {
            err = _map.GetNextKey(_shape.Key(_shape.KeyCount), next);
            if (err != Errno.None || _shape.NumberOf(next) != seen[0])
            {
                throw new BrokenRuleException(
                    Rules.Iteration, $"a walk from a key that is not there starts over at key {seen[0]}",
                    err == Errno.None ? $"key {_shape.NumberOf(next)}" : Text(err));
            }
        }

        return $"{seen.Count} keys";
    }

    // What is behind the walk goes; what is before it must still be seen, each once.
    private string WalkDelete()
    {
        var all = _model.Live.Keys.ToList();
        var seen = new List<int>();
        var key = Array.Empty<byte>();
        var next = new byte[_shape.KeySize];
        while (_map.GetNextKey(key, next) == Errno.None && seen.Count <= all.Count)
        {
            if (seen.Count > 0)
            {
                Delete(new(StepKind.Delete, seen[^1]));
            }

            seen.Add(_shape.NumberOf(next));
            key = [.. next];
        }

        if (_shape.IsFilled && !seen.Order().SequenceEqual(all))
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"keys {string.Join(", ", all)}, each once, though those that were passed are deleted",
                string.Join(", ", seen));
        }

        return $"{seen.Count} keys";
    }

    private string VisitStop(Step step)
    {
        var seen = 0;
        long visited;
        using (_kernel.Rcu.ReadLock())
        {
            visited = _map.ForEachElem((_, _) => seen++ == step.StopAt ? 1UL : 0, 0, step.Cpu);
        }

        var expected = Math.Min(step.StopAt + 1, IsIndexed ? _shape.Capacity : _model.Live.Count);
        if (seen != expected || visited != seen)
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"a visit ends where its callback says so: {expected} are seen, and so it answers",
                $"{seen} seen, {visited} answered");
        }

        return $"{visited} visited";
    }

    private string Visit(Step step, bool deletes)
    {
        var seen = new List<int>();
        string? wrong = null;
        ulong Callback(ulong key, ulong value)
        {
            var number = _shape.NumberOf(new ReadOnlySpan<byte>((void*)key, _shape.KeySize));
            seen.Add(number);
            var bytes = new ReadOnlySpan<byte>((void*)value, _shape.ValueSize);
            if (!_model.Live.TryGetValue(number, out var entry)
                || !_shape.PlainEquals(bytes, entry.Values[_shape.PlaceOf(step.Cpu)]))
            {
                wrong ??= $"the value of key {number} as {ShownAt(value)}";
            }

            if (deletes && _map.ProgDelete(_shape.Key(number), step.Cpu) is var err and not Errno.None)
            {
                wrong ??= $"the delete of key {number}, which is visited, answers {Text(err)}";
            }
            else if (deletes && _model.Live.ContainsKey(number))
            {
                Remove(number);
                if (_map.ProgLookup(_shape.Key(number), step.Cpu) != 0)
                {
                    wrong ??= $"key {number} is still found when its delete has answered 0";
                }
            }

            return 0;
        }

        var all = _model.Live.Keys.ToList();
        long visited;
        using (_kernel.Rcu.ReadLock())
        {
            visited = _map.ForEachElem(Callback, 0, step.Cpu);
        }

        if (wrong is not null)
        {
            throw new BrokenRuleException(Rules.Iteration, "each element with its value", wrong);
        }

        if (visited != seen.Count)
        {
            throw new BrokenRuleException(Rules.Iteration, $"{seen.Count} visited", $"{visited}");
        }

        if (!deletes)
        {
            CheckWalk(seen);
        }
        else if (_shape.IsFilled && !seen.Order().SequenceEqual(all))
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"keys {string.Join(", ", all)}, each once", string.Join(", ", seen));
        }

        CheckContents(Rules.Contents);
        return $"{visited} visited";
    }

    // Of prefixes the longer come before those that contain them, as in Linux's tries.
    private void CheckOrder(List<int> seen)
    {
        for (var i = 0; i < seen.Count; i++)
        {
            if (seen[..i].FirstOrDefault(k => Prefixes.Contains(_shape.Key(k), _shape.Key(seen[i])), -1) is var first
                and >= 0)
            {
                throw new BrokenRuleException(
                    Rules.Iteration, $"prefix {seen[i]} comes before {first}, which contains it",
                    string.Join(", ", seen));
            }
        }
    }

    private void CheckWalk(List<int> seen)
    {
        if (!_shape.IsFilled && IsIndexed)
        {
            return;
        }

        if (!seen.Order().SequenceEqual(_model.Live.Keys))
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"keys {string.Join(", ", _model.Live.Keys)}", string.Join(", ", seen));
        }
    }

    // Nothing of a value is left when its owner has gone.
    private string EndOwner(Step step)
    {
        _shape.EndOwner(step.Key);
        _kernel.Quiesce();
        if (_model.Live.Remove(step.Key, out var entry))
        {
            foreach (var held in entry.Held)
            {
                EndHeld(held, Rules.DestroyOnDelete);
            }
        }

        for (var o = 0; o < _objects.Length; o++)
        {
            var held = _objects[o].Count.Value - _base[o];
            if (held > _model.Known(o))
            {
                throw new BrokenRuleException(
                    Rules.DestroyWithOwner, $"the map holds {Step.NameOf(o)} {_model.Known(o)} times",
                    $"{held} times{Pins(o)}");
            }
        }

        var (key, value) = (_shape.Key(step.Key), _shape.Written(step.Value));
        Errno[] said = [_map.UpdateElem(key, value), _map.DeleteElem(key), _map.LookupElem(key, value)];
        if (said.Any(e => e != Errno.EBADF))
        {
            throw new BrokenRuleException(
                Rules.Errnos, "-EBADF for an update, a delete and a look-up of an owner that there is not",
                string.Join(", ", said.Select(Text)));
        }

        _shape.Replace(_map, step.Key);
        CheckFaults();
        CheckContents(Rules.Contents);
        return "gone";
    }

    // A prefix longer than its key is none.
    private string BadPrefix(Step step)
    {
        var key = _shape.Key(step.Key);
        BitConverter.GetBytes(((_shape.KeySize - sizeof(int)) * 8) + 1).CopyTo(key, 0);
        var value = _shape.Written(step.Value);
        Errno[] said = [_map.UpdateElem(key, value), _map.DeleteElem(key), _map.LookupElem(key, value)];
        if (!said.SequenceEqual([Errno.EINVAL, Errno.EINVAL, Errno.ENOENT]))
        {
            throw new BrokenRuleException(
                Rules.Errnos, "-EINVAL, -EINVAL and -ENOENT", string.Join(", ", said.Select(Text)));
        }

        CheckContents(Rules.FailedMovesNothing);
        return "refused";
    }

    private string DeleteAll()
    {
        foreach (var key in _model.Live.Keys.ToList())
        {
            Delete(new(StepKind.Delete, key));
        }

        Quiesce();
        var census = _map.TakeCensus();
        if (census.Live != _atBirth.Live || census.Capacity < _atBirth.Capacity)
        {
            throw new BrokenRuleException(
                Rules.Census, $"an emptied map counts as a new one, {_atBirth}", $"{census}");
        }

        return "empty";
    }

    private void Remove(int key)
    {
        if (_model.Live.Remove(key, out var entry))
        {
            foreach (var held in entry.Held)
            {
                EndHeld(held, Rules.DestroyOnDelete);
            }

            _model.Leaving++;
        }
    }

    private void EndHeld(int[] all, ConformanceCheck how)
    {
        var ended = how == Rules.DestroyOnOverwrite ? _model.Overwritten : _model.Deleted;
        ended.UnionWith(all.Where(h => h >= 0));
        if (IsEager)
        {
            foreach (var held in all.Where(h => h >= 0))
            {
                _model.Owned[held]--;
            }
        }
    }

    // What a map that makes room has pushed out, it says itself; never the key just written.
    private void NoteEvictions(int kept)
    {
        if (_can.WhenFull != WhenFull.Evict)
        {
            return;
        }

        using var reader = _kernel.Rcu.ReadLock();
        foreach (var key in _model.Live.Keys.ToList())
        {
            if (key != kept && _map.ProgLookup(_shape.Key(key), 0) == 0)
            {
                Remove(key);
            }
        }
    }

    private T OnCpu<T>(int cpu, Func<T> call)
    {
        var before = _kernel.CurrentCpu;
        _kernel.CurrentCpu = cpu;
        try
        {
            return call();
        }
        finally
        {
            _kernel.CurrentCpu = before;
        }
    }

    private Errno AsProgram(Step step, Func<Errno> call)
    {
        using var reader = _kernel.Rcu.ReadLock();
        using var context = _kernel.EnterContext(step.Context);
        return OnCpu(step.Cpu, call);
    }

    private static string Text(Errno err) => err == Errno.None ? "0" : $"-{err}";
}
