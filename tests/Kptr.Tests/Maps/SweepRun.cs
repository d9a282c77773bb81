using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Carries one cell out and compares.</summary>
internal sealed unsafe class SweepRun : IAsyncFields
{
    private const int Present = 1;
    private const int Missing = 3;
    private readonly SweepCell _cell;
    private readonly KernelCore _core;
    private readonly BpfMap _map;
    private readonly List<Widget> _widgets = [];
    private readonly List<string> _wrong = [];
    private readonly Widget _owner;
    private readonly TaskStruct? _task;
    private readonly Cgroup? _cgroup;
    private int _timersCancelled;

    private SweepRun(SweepCell cell, KernelCore core, BpfMap map)
    {
        _cell = cell;
        _core = core;
        _map = map;
        _map.AsyncFields = this;
        _owner = new(core);
        if (cell.Map == SweepMap.TaskStorage)
        {
            _task = core.Tasks.Fork(core.Tasks.Init);
        }
        else if (cell.Map == SweepMap.CgrpStorage)
        {
            _cgroup = core.Cgroups.Create(core.Cgroups.Root, $"g{map.Id}");
        }
    }

    /// <summary>What differs from Linux, or an empty list.</summary>
    internal static IReadOnlyList<string> Check(SweepCell cell, KernelCore core)
    {
        var allowed = cell.Record().Fields.All(f => MapRules.TypesThatHold(f.Kind).Contains(cell.Spec().Type));
        var err = MapFactory.TryCreate(core, cell.Spec(), out var map);
        if (!allowed)
        {
            return err == Errno.EOPNOTSUPP ? [] : [$"creation gives {err}, not EOPNOTSUPP"];
        }

        return err == Errno.None ? new SweepRun(cell, core, map!).Run() : [$"creation gives {err}"];
    }

    void IAsyncFields.CancelAndFree(BpfMap map, BtfField field, ulong address) => _timersCancelled++;

    private List<string> Run()
    {
        if (_cell.Op is not (SweepOp.Insert or SweepOp.DeleteMissing or SweepOp.Fill) || _cell.IsLru)
        {
            Install();
        }

        Expect("errno", _cell.Errno(), Perform());
        _core.Quiesce();
        Expect("destructors", _cell.Destroyed(), _widgets.Sum(w => w.DestructorRuns));
        if (!_map.IsFreed)
        {
            Expect("census complete", true, _map.TakeCensus().IsComplete);
            ExpectEveryReferenceFound();
            _map.Dispose();
            _core.Quiesce();
        }

        Expect("map freed", true, _map.IsFreed);
        foreach (var widget in _widgets)
        {
            Expect("destructor runs in the end", 1, widget.DestructorRuns);
        }

        KernelRef.Own(_owner).Release();
        EndOwner();
        _core.Quiesce();
        foreach (var fault in _core.TakeFaults())
        {
            _wrong.Add(fault.ToString());
        }

        return _wrong;
    }

    private void Install()
    {
        Span<byte> value = stackalloc byte[_map.UserValueSize];
        value.Fill(0xff);
        Expect("set up", Errno.None, _map.UpdateElem(Key(Present), value));
        for (var cpu = 0; cpu < (_cell.IsPercpu ? SweepCell.CpuCount : 1); cpu++)
        {
            var at = _map.ProgLookup(Key(Present), cpu);
            foreach (var field in _cell.Record().Fields.Where(f => (f.Kind & (BtfFieldKind.KptrRef | BtfFieldKind.KptrPercpu)) != 0))
            {
                var widget = new Widget(_core);
                _widgets.Add(widget);
                ref var slot = ref Unsafe.AsRef<Kptr<Widget>>((void*)(at + (ulong)field.OffsetBytes));
                Expect("slot empty at first", true, slot.Exchange(KernelRef.Own(widget)) is null);
            }

            if (_cell.Fields == SweepFields.UnrefKptr)
            {
                *(ulong*)(at + 8) = _owner.Address;
            }
        }

        _timersCancelled = 0;
    }

    private Errno Perform()
    {
        switch (_cell.Context)
        {
            case SweepContext.InsideReader:
                using (_core.Rcu.ReadLock())
                {
                    return PerformUser();
                }

            case SweepContext.InsideCallback:
                if (_map.ProgLookup(Key(0), 0) == 0)
                {
                    Expect("set up", Errno.None, _map.ProgUpdate(Key(0), new byte[SweepCell.ValueBytes], MapUpdateFlags.Any, 0));
                }

                var err = Errno.None;
                var done = false;
                _map.ForEachElem(
                    (key, _) =>
                    {
                        if (!done && *(int*)key == 0)
                        {
                            done = true;
                            err = PerformProgram();
                        }

                        return 0;
                    },
                    0,
                    0);
                Expect("callback ran", true, done);
                return err;

            case SweepContext.Program:
                return PerformProgram();

            default:
                return PerformUser();
        }
    }

    private Errno PerformProgram()
    {
        Span<byte> value = stackalloc byte[SweepCell.ValueBytes];
        value.Fill(0xff);
        switch (_cell.Op)
        {
            case SweepOp.Lookup:
                Expect("found", true, _map.ProgLookup(Key(Present), 0) != 0);
                return Errno.None;
            case SweepOp.Insert:
                return _map.ProgUpdate(Key(_cell.IsArray ? 99 : Missing), value, _cell.Flags, 0);
            case SweepOp.Update:
                var err = _map.ProgUpdate(Key(Present), value, _cell.Flags, 0);
                ExpectSpecialsUntouched();
                return err;
            case SweepOp.Delete:
                return _map.ProgDelete(Key(Present), 0);
            case SweepOp.ForEach:
                Expect("visits", _cell.IsArray ? 4 : 1, _map.ForEachElem((_, _) => 0, 0, 0));
                Expect("flags", (long)Errno.EINVAL, _map.ForEachElem((_, _) => 0, 1, 0));
                return Errno.None;
            default:
                return _map.ProgDelete(Key(Missing), 0);
        }
    }

    private Errno PerformUser()
    {
        var value = new byte[_map.UserValueSize * 8];
        Array.Fill(value, (byte)0xff);
        var one = value.AsSpan(0, _map.UserValueSize);
        var keys = new byte[4 * 8];
        Key(Present).CopyTo(keys, 0);
        var count = 1;
        switch (_cell.Op)
        {
            case SweepOp.Lookup:
                var found = _map.LookupElem(Key(Present), one, _cell.Flags);
                if (found == Errno.None)
                {
                    ExpectSpecialsReadZero(one);
                }

                return found;
            case SweepOp.Insert:
                return _map.UpdateElem(Key(_cell.IsArray ? 99 : Missing), one, _cell.Flags);
            case SweepOp.Update:
                var err = _map.UpdateElem(Key(Present), one, _cell.Flags);
                ExpectSpecialsUntouched();
                return err;
            case SweepOp.Delete:
                return _map.DeleteElem(Key(Present));
            case SweepOp.DeleteMissing:
                return _map.DeleteElem(Key(Missing));
            case SweepOp.LookupAndDelete:
                var taken = _map.LookupAndDeleteElem(Key(Present), one, _cell.Flags);
                if (taken == Errno.None)
                {
                    ExpectSpecialsReadZero(one);
                }

                return taken;
            case SweepOp.LookupBatch:
                count = 8;
                return _map.LookupBatch([], new byte[Math.Max(4, _map.BatchCursorSize)], keys, value, ref count, _cell.Flags);
            case SweepOp.UpdateBatch:
                return _map.UpdateBatch(keys, value, ref count, _cell.Flags);
            case SweepOp.DeleteBatch:
                return _map.DeleteBatch(keys, ref count, _cell.Flags);
            case SweepOp.LookupAndDeleteBatch:
                count = 8;
                return _map.LookupAndDeleteBatch([], new byte[Math.Max(4, _map.BatchCursorSize)], keys, value, ref count, _cell.Flags);
            case SweepOp.GetNextKey:
                var next = new byte[4];
                return _map.GetNextKey([], next);
            case SweepOp.Freeze:
                return _map.Freeze();
            case SweepOp.Fill:
                return Fill(one);
            case SweepOp.OwnerExit:
                EndOwner();
                return Errno.None;
            case SweepOp.LastUserRef:
                _map.Hold();
                _map.Dispose();
                var cancelled = _cell.HasTimer ? _map.Pools.Sum(p => p.SlotCount * p.CpuCount) : 0;
                Expect("timers stopped", cancelled, _timersCancelled);
                ExpectEveryReferenceFound();
                _map.Put();
                ExpectNothingDestroyed();
                return DestroyedLater();
            default:
                _map.Dispose();
                return Errno.None;
        }
    }

    // The last reference went in the operation itself: what map free destroys is not the operation's doing.
    private Errno DestroyedLater()
    {
        _core.Quiesce();
        Expect("destructors at map free", _widgets.Count, _widgets.Sum(w => w.DestructorRuns));
        _widgets.Clear();
        return Errno.None;
    }

    private Errno Fill(Span<byte> value)
    {
        for (var key = 10; key < 18; key++)
        {
            var err = _cell.IsArray ? _map.UpdateElem(Key(key % 4), value) : _map.UpdateElem(Key(key), value);
            if (err != Errno.None)
            {
                return err;
            }
        }

        return Errno.None;
    }

    private byte[] Key(int key) => BitConverter.GetBytes(key == Present ? _task?.Pid ?? (_cgroup is null ? key : (int)_cgroup.Id)
        : key == Missing && _task is not null ? _core.Tasks.Init.Pid
        : key == Missing && _cgroup is not null ? (int)_core.Cgroups.Root.Id : key);

    private void EndOwner()
    {
        if (_task is { IsFreed: false })
        {
            _core.Tasks.Exit(_task);
            _core.Tasks.Reap(_task);
        }

        if (_cgroup is { IsFreed: false })
        {
            _core.Cgroups.Remove(_cgroup);
        }
    }

    private void ExpectSpecialsReadZero(ReadOnlySpan<byte> value)
    {
        foreach (var field in _cell.Record().Fields)
        {
            Expect($"{field.Name} reads as zero", false, value.Slice(field.OffsetBytes, field.SizeBytes).ContainsAnyExcept((byte)0));
        }
    }

    // The value was full of ones: none of them may have reached a special field.
    private void ExpectSpecialsUntouched()
    {
        var at = _map.ProgLookup(Key(Present), 0);
        foreach (var field in at == 0 ? [] : _cell.Record().Fields)
        {
            var bytes = new ReadOnlySpan<byte>((void*)(at + (ulong)field.OffsetBytes), field.SizeBytes);
            Expect($"{field.Name} was not written", true, bytes.ContainsAnyExcept((byte)0xff));
        }
    }

    private void ExpectEveryReferenceFound()
    {
        var held = ((IReferenceSource)_map).HeldSlots().Select(s => s.ObjectAddress).ToHashSet();
        foreach (var widget in _widgets)
        {
            Expect("each reference is in a slot or destroyed", 1, widget.DestructorRuns + (held.Contains(widget.Address) ? 1 : 0));
        }
    }

    private void ExpectNothingDestroyed() => Expect("destructors under a user reference", 0, _widgets.Sum(w => w.DestructorRuns));

    private void Expect<T>(string what, T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            _wrong.Add($"{what}: expected {expected}, got {actual}");
        }
    }
}
