using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Cells;

// The operations themselves, from each context.
internal sealed unsafe partial class CellRun
{
    private const int BatchRoom = 8;
    private const int FirstFilled = 10;
    private const int FilledCount = 8;
    private Errno _found;

    private Errno Perform()
    {
        switch (_cell.Context)
        {
            case CellContext.InsideReader:
                using (_kernel.Rcu.ReadLock())
                {
                    return PerformUser();
                }

            case CellContext.InsideTraceReader:
                using (_kernel.RcuTrace.ReadLock())
                {
                    return PerformUser();
                }

            case CellContext.InsideCallback:
                return PerformInCallback();

            case CellContext.ExitingOwner:
                _owner!.End();
                _kernel.Quiesce();
                return _found;

            case CellContext.Program:
                return _cell.Map.IsStorage
                    ? PerformStorage(_cell.Op is CellOp.Insert or CellOp.InsertNoMemory or CellOp.DeleteMissing
                        ? _otherOwner! : _owner!) : InReader(PerformProgram);

            default:
                return PerformUser();
        }
    }

    private Errno InReader(Func<Errno> perform)
    {
        using var reader = _kernel.Rcu.ReadLock();
        return perform();
    }

    private Errno PerformInCallback()
    {
        using var reader = _kernel.Rcu.ReadLock();
        if (_map.ProgLookup(Key(InCallback), 0) == 0)
        {
            Expect("a program's update", Errno.None,
                _map.ProgUpdate(Key(InCallback), Ones(_map.ValueSize), MapUpdateFlags.Any, 0));
        }

        var runs = 0;
        _map.ForEachElem(
            (key, _) =>
            {
                if (new ReadOnlySpan<byte>((void*)key, _map.KeySize).SequenceEqual(Key(InCallback)) && runs++ == 0)
                {
                    _found = PerformProgram();
                }

                return 0;
            },
            0,
            0);
        Expect("the callback was called", true, runs > 0);
        return _found;
    }

    private Errno PerformStorage(CellOwner owner)
    {
        var calls = Storage;
        switch (_cell.Op)
        {
            case CellOp.Lookup:
                return calls.Get(_map, owner.Object, false) != 0 ? Errno.None : Errno.ENOENT;
            case CellOp.Insert or CellOp.InsertNoMemory:
                FailIfWanted();
                return calls.Get(_map, owner.Object, true) != 0 ? Errno.None : Errno.ENOMEM;
            case CellOp.DeleteAndWriteLate:
                return WriteLate(() => calls.Delete(_map, owner.Object));
            default:
                return calls.Delete(_map, owner.Object);
        }
    }

    private Errno PerformProgram()
    {
        var value = Ones(_map.ValueSize);
        FailIfWanted();
        switch (_cell.Op)
        {
            case CellOp.Lookup:
                Expect("a program finds the key", true, _map.ProgLookup(Key(Present), 0) != 0);
                return Errno.None;
            case CellOp.Insert or CellOp.InsertNoMemory or CellOp.InsertBusy:
                return _map.ProgUpdate(NewKey, value, _cell.Flags, 0);
            case CellOp.Update or CellOp.UpdateBusy:
                var err = _map.ProgUpdate(Key(Present), value, _cell.Flags, 0);
                ExpectSpecialsUntouched();
                return err;
            case CellOp.Delete or CellOp.DeleteBusy:
                return _map.ProgDelete(Key(Present), 0);
            case CellOp.DeleteAndWriteLate:
                return WriteLate(() => _map.ProgDelete(Key(Present), 0));
            case CellOp.ForEach:
                Expect("visits", _cell.Map.IsArray ? _cell.Map.Capacity
                    : _cell.Context == CellContext.InsideCallback ? 2
                    : 1, _map.ForEachElem((_, _) => 0, 0, 0));
                Expect("a visit with flags", (long)Errno.EINVAL, _map.ForEachElem((_, _) => 0, 1, 0));
                return Errno.None;
            default:
                return _map.ProgDelete(Key(Missing), 0);
        }
    }

    private Errno PerformUser()
    {
        var isOne = _map.IsPerCpu && (_cell.Flags & (MapUpdateFlags.Cpu | MapUpdateFlags.AllCpus)) != 0;
        var size = isOne ? _map.ValueSize : _map.UserValueSize;
        var value = _cell.Map.IsOuter ? Ids[..size] : Ones(size);
        FailIfWanted();
        switch (_cell.Op)
        {
            case CellOp.Lookup:
                return ExpectSpecialsZero(_map.LookupElem(Key(Present), value, _cell.Flags), value);
            case CellOp.LookupAndDelete:
                return ExpectSpecialsZero(_map.LookupAndDeleteElem(Key(Present), value, _cell.Flags), value);
            case CellOp.Insert or CellOp.InsertNoMemory or CellOp.InsertBusy:
                return _map.UpdateElem(NewKey, value, _cell.Flags);
            case CellOp.Update or CellOp.UpdateBusy:
                var err = _map.UpdateElem(Key(Present), value, _cell.Flags);
                ExpectSpecialsUntouched();
                return err;
            case CellOp.Delete or CellOp.DeleteBusy:
                return _map.DeleteElem(Key(Present));
            case CellOp.DeleteMissing:
                return _map.DeleteElem(Key(Missing));
            case CellOp.DeleteAndWriteLate:
                return WriteLate(() => _map.DeleteElem(Key(Present)));
            case CellOp.GetNextKey:
                return _map.GetNextKey([], new byte[_map.KeySize]);
            case CellOp.Freeze:
                return _map.Freeze();
            case CellOp.Fill:
                return Fill(value);
            case CellOp.OwnerExit:
                _owner!.End();
                return Errno.None;
            case CellOp.LastUserRef:
                return DropLastUserRef();
            case CellOp.MapFree:
                return FreeMap();
            default:
                return PerformBatch();
        }
    }

    // Behind the end of what is counted; else the key that is not there.
    private byte[] NewKey =>
        _cell.Map.IsIndexed ? _shape.Key(checked((int)_cell.Map.Capacity + Missing)) : Key(Missing);

    private byte[] Ids => [.. Enumerable.Repeat(BitConverter.GetBytes(_otherInner!.Id), BatchRoom).SelectMany(b => b)];

    private Errno PerformBatch()
    {
        var values = _cell.Map.IsOuter ? Ids : Ones(BatchRoom * _map.UserValueSize);
        var keys = new byte[_map.KeySize * BatchRoom];
        Key(Present).CopyTo(keys, 0);
        var cursor = new byte[_map.BatchCursorSize];
        var count = _cell.Op is CellOp.LookupBatch or CellOp.LookupAndDeleteBatch ? BatchRoom : 1;
        return _cell.Op switch
        {
            CellOp.LookupBatch => _map.LookupBatch([], cursor, keys, values, ref count, _cell.Flags),
            CellOp.UpdateBatch => _map.UpdateBatch(keys, values, ref count, _cell.Flags),
            CellOp.DeleteBatch => _map.DeleteBatch(keys, ref count, _cell.Flags),
            _ => _map.LookupAndDeleteBatch([], cursor, keys, values, ref count, _cell.Flags),
        };
    }

    private void FailIfWanted()
    {
        switch (_cell.Op)
        {
            case CellOp.InsertNoMemory:
                _kernel.Options.FaultPlan!.Fail(FaultPoint.AllocElem.Name);
                break;
            case CellOp.InsertBusy or CellOp.UpdateBusy or CellOp.DeleteBusy:
                _kernel.Options.FaultPlan!.Fail(FaultPoint.LockBucket.Name);
                break;
        }
    }

    private Errno WriteLate(Func<Errno> delete)
    {
        using var reader = _kernel.Rcu.ReadLock();
        var field = _cell.Record.Fields.First(CellThing.CanMake);
        var slot = (_cell.Map.IsStorage
            ? Storage.Get(_map, _owner!.Object, false)
            : _map.ProgLookup(Key(Present), 0)) + (ulong)field.OffsetBytes;
        var err = delete();
        _log.Add("a program that found the value before stores an object in it");
        _things.Add(CellThing.Exchange(_kernel, field, slot, isLate: true, out var old));
        if (old != 0)
        {
            // Under the recycle policy the deleted value still held it.
            _things.Single(t => t.Address == old && !t.IsLate).IsTakenOut = true;
        }

        return err;
    }

    private Errno Fill(byte[] value)
    {
        var count = Math.Max(FilledCount, (int)_cell.Map.Capacity + 1);
        for (var key = FirstFilled; key < FirstFilled + count; key++)
        {
            var err = _map.UpdateElem(
                _cell.Map.IsIndexed ? _shape.Key(key % (int)_cell.Map.Capacity) : Key(key), value);
            if (err != Errno.None)
            {
                return err;
            }
        }

        return Errno.None;
    }

    // A program still holds the map: its timers stop, its kptrs stay.
    private Errno DropLastUserRef()
    {
        _holder = new CellProgram(_kernel, _map, []);
        _holder.HoldAttached();
        _map.Dispose();
        _kernel.Quiesce();
        var places = ExpectConserved();
        Expect("destructors under a reference", 0, _things.Count(t => t.IsReleased(places)));
        ExpectStopped();
        _holder.Dispose();
        _kernel.Quiesce();
        places = TakePlaces();
        Expect("destructors at map free", _things.Count, _things.Sum(t => t.DestructorRuns(places)));
        _things.Clear();
        return Errno.None;
    }

    private Errno FreeMap()
    {
        if (_cell.Map.IsInner)
        {
            return _outer!.DeleteElem(KeyOf(_outer, Present));
        }

        _map.Dispose();
        return Errno.None;
    }

    // A storage map of the kit's hears of the owner's end first, and its value dies then.
    private void WhenOwnerGoes()
    {
        var kptr = CellFields.All.First(f => f.Struct == "kptr");
        _probe = MapFactory.Create(_kernel, CellTypes.Apply(
            new MapSpec("probe", _cell.Map.Type) { KeySize = sizeof(int), Flags = MapFlags.NoPrealloc }, kptr,
            _kernel.Spec));
        var key = Key(Present);
        Expect("an update of the kit's own map", Errno.None, _probe.UpdateElem(key, Ones(_probe.UserValueSize)));
        using (_kernel.Rcu.ReadLock())
        {
            var field = _probe.Record.Fields[0];
            CellThing.Exchange(
                _kernel, field, _probe.ProgLookup(key, 0) + (ulong)field.OffsetBytes, isLate: false, out _);
        }

        _probe.FieldDied += _ => _found = PerformStorage(_owner!);
    }

    private StorageHelpers Storage => _cell.Map.Can.Storage ?? StorageHelpers.ByKey(owner => Key(
        owner == _owner!.Object ? Present : Missing));

    private Errno ExpectSpecialsZero(Errno err, byte[] value)
    {
        foreach (var field in err == Errno.None && !_cell.Map.IsOuter ? _cell.Record.Fields : [])
        {
            Expect($"{field.Name} reads as zero", false,
                value.AsSpan(field.OffsetBytes, field.SizeBytes).ContainsAnyExcept((byte)0));
        }

        return err;
    }

    // The value was full of ones: none of them may have reached a special field.
    private void ExpectSpecialsUntouched()
    {
        using var reader = _kernel.Rcu.ReadLock();
        var at = _values.IsFreed || _cell.Map.IsOuter ? 0 : _values.ProgLookup(Key(Present), 0);
        foreach (var field in at == 0 ? [] : _cell.Record.Fields)
        {
            var bytes = new ReadOnlySpan<byte>((void*)(at + (ulong)field.OffsetBytes), field.SizeBytes);
            Expect($"{field.Name} was not written", true, bytes.ContainsAnyExcept((byte)0xff));
        }
    }
}
