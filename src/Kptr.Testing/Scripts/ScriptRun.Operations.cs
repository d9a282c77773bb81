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

        // The directory of a cgroup that is offline can still be open.
        var wanted = _map.Type == BpfMapType.CgrpStorage ? Errno.ENOENT : Errno.EBADF;
        if (said.Any(e => e != wanted))
        {
            throw new BrokenRuleException(
                Rules.Errnos, $"-{wanted} for an update, a delete and a look-up of an owner that there is not",
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
