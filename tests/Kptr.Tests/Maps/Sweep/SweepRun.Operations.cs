using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Tests.Maps;

// The operations themselves, from each context.
internal sealed unsafe partial class SweepRun
{
    private Errno _found;

    private Errno Perform()
    {
        switch (_cell.Context)
        {
            case SweepContext.InsideReader:
                using (_core.Rcu.ReadLock())
                {
                    return PerformUser();
                }

            case SweepContext.InsideTraceReader:
                using (_core.RcuTrace.ReadLock())
                {
                    return PerformUser();
                }

            case SweepContext.InsideCallback:
                return PerformInCallback();

            case SweepContext.ExitingOwner:
                _owner!.End();
                _core.Quiesce();
                return _found;

            case SweepContext.Program:
                return _cell.IsStorage
                    ? PerformStorage(_cell.Op is SweepOp.Insert or SweepOp.InsertNoMemory or SweepOp.DeleteMissing
                        ? _otherOwner!.Object : _owner!.Object) : PerformProgram();

            default:
                return PerformUser();
        }
    }

    private Errno PerformInCallback()
    {
        if (_map.ProgLookup(Key(0), 0) == 0)
        {
            Expect("set up", Errno.None,
                _map.ProgUpdate(Key(0), Ones.AsSpan(0, SweepCell.ValueBytes), MapUpdateFlags.Any, 0));
        }

        var runs = 0;
        _cancelled = 0;
        _map.ForEachElem(
            (key, _) =>
            {
                if (*(int*)key == 0 && runs++ == 0)
                {
                    _found = PerformProgram();
                }

                return 0;
            },
            0,
            0);
        Expect("callback ran", true, runs > 0);
        return _found;
    }

    private Errno PerformStorage(KernelObject owner)
    {
        var map = (LocalStorageMap)_map;
        switch (_cell.Op)
        {
            case SweepOp.Lookup:
                return map.Get(owner) != 0 ? Errno.None : Errno.ENOENT;
            case SweepOp.Insert or SweepOp.InsertNoMemory:
                FailIfWanted();
                return map.Get(owner, default, create: true) != 0 ? Errno.None : Errno.ENOMEM;
            case SweepOp.DeleteAndWriteLate:
                return WriteLate(() => map.Delete(owner));
            default:
                return map.Delete(owner);
        }
    }

    private Errno PerformProgram()
    {
        var value = Ones.AsSpan(0, _map.ValueSize);
        FailIfWanted();
        switch (_cell.Op)
        {
            case SweepOp.Lookup:
                Expect("found", true, _map.ProgLookup(Key(Present), 0) != 0);
                return Errno.None;
            case SweepOp.Insert or SweepOp.InsertNoMemory or SweepOp.InsertBusy:
                return _map.ProgUpdate(Key(_cell.IsArray ? 99 : Missing), value, _cell.Flags, 0);
            case SweepOp.Update or SweepOp.UpdateBusy:
                var err = _map.ProgUpdate(Key(Present), value, _cell.Flags, 0);
                ExpectSpecialsUntouched();
                return err;
            case SweepOp.Delete or SweepOp.DeleteBusy:
                return _map.ProgDelete(Key(Present), 0);
            case SweepOp.DeleteAndWriteLate:
                return WriteLate(() => _map.ProgDelete(Key(Present), 0));
            case SweepOp.ForEach:
                Expect("visits", _cell.IsArray ? 4
                    : _cell.Context == SweepContext.InsideCallback ? 2
                    : 1, _map.ForEachElem((_, _) => 0, 0, 0));
                Expect("flags", (long)Errno.EINVAL, _map.ForEachElem((_, _) => 0, 1, 0));
                return Errno.None;
            default:
                return _map.ProgDelete(Key(Missing), 0);
        }
    }

    private Errno PerformUser()
    {
        var value = (_cell.IsOuter ? Ids : Ones).AsSpan(0, _map.UserBytesOf(_cell.Flags)).ToArray();
        FailIfWanted();
        switch (_cell.Op)
        {
            case SweepOp.Lookup:
                return ExpectSpecialsZero(_map.LookupElem(Key(Present), value, _cell.Flags), value);
            case SweepOp.LookupAndDelete:
                return ExpectSpecialsZero(_map.LookupAndDeleteElem(Key(Present), value, _cell.Flags), value);
            case SweepOp.Insert or SweepOp.InsertNoMemory or SweepOp.InsertBusy:
                return _map.UpdateElem(
                    Key(_cell.IsArray || _cell.Map == SweepMap.ArrayOfMaps ? 99 : Missing), value, _cell.Flags);
            case SweepOp.Update or SweepOp.UpdateBusy:
                var err = _map.UpdateElem(Key(Present), value, _cell.Flags);
                ExpectSpecialsUntouched();
                return err;
            case SweepOp.Delete or SweepOp.DeleteBusy:
                return _map.DeleteElem(Key(Present));
            case SweepOp.DeleteMissing:
                return _map.DeleteElem(Key(Missing));
            case SweepOp.DeleteAndWriteLate:
                return WriteLate(() => _map.DeleteElem(Key(Present)));
            case SweepOp.GetNextKey:
                return _map.GetNextKey([], new byte[4]);
            case SweepOp.Freeze:
                return _map.Freeze();
            case SweepOp.Fill:
                return Fill(value);
            case SweepOp.OwnerExit:
                _owner!.End();
                return Errno.None;
            case SweepOp.LastUserRef:
                return DropLastUserRef();
            case SweepOp.MapFree:
                return FreeMap();
            default:
                return PerformBatch();
        }
    }

    private byte[] Ids => [.. Enumerable.Repeat(BitConverter.GetBytes(_otherInner!.Id), 8).SelectMany(b => b)];

    private Errno PerformBatch()
    {
        var values = (_cell.IsOuter ? Ids : Ones).ToArray();
        var keys = new byte[4 * 8];
        Key(Present).CopyTo(keys, 0);
        var cursor = new byte[Math.Max(4, _map.BatchCursorSize)];
        var count = _cell.Op is SweepOp.LookupBatch or SweepOp.LookupAndDeleteBatch ? 8 : 1;
        return _cell.Op switch
        {
            SweepOp.LookupBatch => _map.LookupBatch([], cursor, keys, values, ref count, _cell.Flags),
            SweepOp.UpdateBatch => _map.UpdateBatch(keys, values, ref count, _cell.Flags),
            SweepOp.DeleteBatch => _map.DeleteBatch(keys, ref count, _cell.Flags),
            _ => _map.LookupAndDeleteBatch([], cursor, keys, values, ref count, _cell.Flags),
        };
    }

    private void FailIfWanted()
    {
        switch (_cell.Op)
        {
            case SweepOp.InsertNoMemory:
                _core.Options.FaultPlan!.Fail(FaultPoint.AllocElem.Name);
                break;
            case SweepOp.InsertBusy or SweepOp.UpdateBusy or SweepOp.DeleteBusy:
                _core.Options.FaultPlan!.Fail(FaultPoint.LockBucket.Name);
                break;
        }
    }

    private Errno WriteLate(Func<Errno> delete)
    {
        using var reader = _core.Rcu.ReadLock();
        var field = _cell.Record().Fields.First(f => f.Kind == BtfFieldKind.KptrRef);
        var slot = (_cell.IsStorage
            ? ((LocalStorageMap)_map).Get(_owner!.Object)
            : _map.ProgLookup(Key(Present), 0)) + (ulong)field.OffsetBytes;
        var err = delete();
        _things.Add(SweepThing.Exchange(_core, slot, isLate: true, out var old));
        if (old != 0)
        {
            // Under the recycle policy the deleted value still held it.
            _things.Single(t => t.Address == old).IsTakenOut = true;
        }

        return err;
    }

    private Errno Fill(byte[] value)
    {
        for (var key = 10; key < 18; key++)
        {
            var err = _map.UpdateElem(Key(_cell.IsArray || _cell.Map == SweepMap.ArrayOfMaps ? key % 4 : key), value);
            if (err != Errno.None)
            {
                return err;
            }
        }

        return Errno.None;
    }

    // Somebody else still holds the map: its timers stop, its kptrs stay.
    private Errno DropLastUserRef()
    {
        _map.Hold();
        _map.Dispose();
        Expect("timers and work stopped",
            _cell.IsOuter ? 0 : _cell.AsyncPerValue * _map.Pools.Sum(p => p.SlotCount * p.CpuCount), _cancelled);
        ExpectConserved("the last user reference");
        Expect("destructors under a reference", 0, _things.Count(t => t.IsReleased));
        _map.Put();
        _core.Quiesce();
        Expect("destructors at map free", _things.Count, _things.Sum(t => t.DestructorRuns));
        _things.Clear();
        return Errno.None;
    }

    private Errno FreeMap()
    {
        if (_cell.IsInner)
        {
            return _outer!.DeleteElem(BitConverter.GetBytes(Present));
        }

        _map.Dispose();
        return Errno.None;
    }

    private Errno ExpectSpecialsZero(Errno err, ReadOnlySpan<byte> value)
    {
        foreach (var field in err == Errno.None && !_cell.IsOuter ? _cell.Record().Fields : [])
        {
            Expect($"{field.Name} reads as zero", false, value
                .Slice(field.OffsetBytes, field.SizeBytes)
                .ContainsAnyExcept((byte)0));
        }

        return err;
    }

    // The value was full of ones: none of them may have reached a special field.
    private void ExpectSpecialsUntouched()
    {
        var at = _values.IsFreed ? 0 : _values.ProgLookup(Key(Present), 0);
        foreach (var field in at == 0 ? [] : _cell.Record().Fields)
        {
            var bytes = new ReadOnlySpan<byte>((void*)(at + (ulong)field.OffsetBytes), field.SizeBytes);
            Expect($"{field.Name} was not written", true, bytes.ContainsAnyExcept((byte)0xff));
        }
    }
}
