using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Hostile;

/// <summary>A keyed map from a blueprint, correct but for one fault.</summary>
public sealed class HostileMap : BpfMap
{
    private readonly Lock _lock = new();
    private readonly List<(byte[] Key, int Slot)> _elements = [];
    private readonly List<byte[]> _toDelete = [];
    private readonly ValuePool _pool;
    private readonly HostileFault _fault;
    private readonly GracePeriods _keptFor;
    private readonly MapCensus _atBirth;
    private int _visits;
    private int _taken;
    private int _cursor;
    private bool _hasDeleted;

    public HostileMap(
        KernelCore core, MapSpec spec, HostileFault fault = HostileFault.None, GracePeriods keptFor = GracePeriods.None)
        : base(core, spec)
    {
        _fault = fault;
        _keptFor = keptFor;
        _pool = CreatePool((int)spec.MaxEntries + (fault == HostileFault.TakesOneMore ? 1 : 0));
        _atBirth = base.TakeCensus();
    }

    /// <summary>What it says of itself.</summary>
    public static MapCapabilities Can { get; } = MapCapabilities.Hash with
    {
        CanTake = true, Batches = MapBatchOps.All, ReadsWhole = true,
    };

    protected override MapBatchOps BatchOps => MapBatchOps.All;

    public override MapCensus TakeCensus() =>
        _fault == HostileFault.CensusOfBirth ? _atBirth : base.TakeCensus();

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        lock (_lock)
        {
            var at = _elements.FindIndex(e => e.Slot == slot);
            if (at < 0)
            {
                return false;
            }

            var told = _fault == HostileFault.NamesAnotherKey ? (at + 1) % _elements.Count : at;
            return _elements[told].Key.AsSpan().TryCopyTo(key);
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        lock (_lock)
        {
            return Find(key) is var at and >= 0 ? AddressOf(_elements[at].Slot, caller) : 0;
        }
    }

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        lock (_lock)
        {
            if (Find(key) is not (var at and >= 0))
            {
                return Errno.ENOENT;
            }

            ReadValue(value, _pool, _elements[at].Slot, flags, caller);
            return Errno.None;
        }
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist
            || ((flags & MapUpdateFlags.Lock) != 0 && !Record.Has(BtfFieldKind.SpinLock)))
        {
            return Errno.EINVAL;
        }

        if (_fault == HostileFault.BusyInCallback && Volatile.Read(ref _visits) > 0)
        {
            return Errno.EBUSY;
        }

        if (_fault == HostileFault.PutsOffInNmi && Core.Context == ExecContext.Nmi)
        {
            var (later, bytes, who) = (key.ToArray(), value.ToArray(), caller);
            QueueWork(() => Put(later, bytes, flags, who), "an update of an NMI");
            return Errno.None;
        }

#pragma warning disable KPTR006 // this is the fault
        if (_fault == HostileFault.LeavesReaderOpen)
        {
            var reader = Core.Rcu.ReadLock();
            var err = Put(key, value, flags, caller);
            if (err == Errno.None)
            {
                reader.Dispose();
            }

            return err;
        }
#pragma warning restore KPTR006

        return Put(key, value, flags, caller);
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        if (_fault == HostileFault.DeletesAfterVisit && _visits > 0)
        {
            lock (_lock)
            {
                _toDelete.Add(key.ToArray());
                return Find(key) >= 0 ? Errno.None : Errno.ENOENT;
            }
        }

        return End(key, [], default, caller, DeathPath.Delete);
    }

    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        End(key, value, flags, caller, DeathPath.LookupAndDelete);

    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        lock (_lock)
        {
            var at = Find(key);
            if (_fault == HostileFault.SharesItsCursor && at >= 0)
            {
                at = Math.Min(_cursor, _elements.Count - 1);
            }

            if (at + 1 >= _elements.Count)
            {
                return Errno.ENOENT;
            }

            _cursor = at + 1;
            _elements[at + 1].Key.CopyTo(nextKey);
            return Errno.None;
        }
    }

    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        (byte[] Key, int Slot)[] all;
        lock (_lock)
        {
            all = [.. _elements];
        }

        Interlocked.Increment(ref _visits);
        var visited = 0;
        foreach (var (key, slot) in all)
        {
            lock (_lock)
            {
                if (!_elements.Any(e => e.Key == key && e.Slot == slot))
                {
                    continue;
                }
            }

            visited++;
            if (CallBack(callback, key, AddressOf(slot, caller)) != 0 && _fault != HostileFault.VisitsToTheEnd)
            {
                break;
            }
        }

        if (Interlocked.Decrement(ref _visits) == 0 && _fault == HostileFault.DeletesAfterVisit)
        {
            byte[][] waiting;
            lock (_lock)
            {
                waiting = [.. _toDelete];
                _toDelete.Clear();
            }

            foreach (var key in waiting)
            {
                DeleteValue(key, caller);
            }
        }

        return visited;
    }

    private ulong AddressOf(int slot, in MapCall caller) => _pool.AddressOf(
        slot, !IsPerCpu ? 0 : _fault == HostileFault.UsesCurrentCpu ? Core.CurrentCpu : caller.Cpu);

    private int Find(ReadOnlySpan<byte> key)
    {
        for (var i = 0; i < _elements.Count; i++)
        {
            var there = _elements[i].Key.AsSpan();
            if (key.Length == there.Length && (_fault == HostileFault.ComparesEndsOfKeys
                ? key[0] == there[0] && key[^1] == there[^1] : key.SequenceEqual(there)))
            {
                return i;
            }
        }

        return -1;
    }

    private Errno Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        using var moved = new DyingFields(this, DeathPath.Replace);
        lock (_lock)
        {
            var at = Find(key);
            if (CheckExistence(at >= 0, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (at >= 0)
            {
                Overwrite(at, value, flags, caller, dying, moved);
                return Errno.None;
            }

            var room = MaxEntries + (_fault == HostileFault.TakesOneMore && _hasDeleted ? 1 : 0);
            if (_elements.Count + _taken >= room || !_pool.TryTake(out var slot, caller.Cpu))
            {
                return Errno.E2BIG;
            }

            if (_fault == HostileFault.ZeroesAll)
            {
                Clear(slot);
            }

            InitValue(_pool, slot, value, caller);
            _elements.Add((key.ToArray(), slot));
            return Errno.None;
        }
    }

    private void Overwrite(
        int at, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller, DyingFields dying, DyingFields moved)
    {
        var slot = _elements[at].Slot;
        if (_fault == HostileFault.SkipsEqualUpdates && !IsPerCpu)
        {
            var there = new byte[ValueSize];
            CopyOut(there, _pool.AddressOf(slot));
            var wanted = value[..ValueSize].ToArray();
            foreach (var field in Record.Fields)
            {
                wanted.AsSpan(field.OffsetBytes, field.SizeBytes).Clear();
            }

            if (wanted.AsSpan().SequenceEqual(there))
            {
                return;
            }
        }

        if (_fault == HostileFault.ReplacesUnderReaders && _pool.TryTake(out var other, caller.Cpu))
        {
            InitValue(_pool, other, value, caller);
            _elements[at] = (_elements[at].Key, other);
            moved.Recycle(_pool, slot);
            _pool.Return(slot);
            return;
        }

        if (_fault == HostileFault.LeavesTimersRunning && IsRecycling && !IsPerCpu)
        {
            CopyIn(_pool.AddressOf(slot), value);
            return;
        }

        dying.Overwrite(_pool, slot, value, flags & MapUpdateFlags.Lock, caller);
    }

    private bool IsRecycling => Core.Spec.Profile.Destroy == DestroyBehavior.Recycle;

    private Errno End(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller, DeathPath path)
    {
        var dying = new DyingFields(this, path);
        try
        {
            lock (_lock)
            {
                if (Find(key) is not (var at and >= 0))
                {
                    return Errno.ENOENT;
                }

                var slot = _elements[at].Slot;
                if (!value.IsEmpty)
                {
                    ReadValue(value, _pool, slot, flags, caller);
                    _taken += _fault == HostileFault.CountsTaken ? 1 : 0;
                }

                Remove(at);
                _hasDeleted = true;
                if (_fault == HostileFault.DestroysLaterUnderLock)
                {
                    EndLater(slot, caller.Cpu);
                    return Errno.None;
                }

                if (_fault != HostileFault.LeavesTimersRunning || !IsRecycling)
                {
                    dying.Recycle(_pool, slot);
                }

                Return(slot, caller.Cpu, isTaken: !value.IsEmpty);
                return Errno.None;
            }
        }
        finally
        {
            dying.Dispose();
        }
    }

    private void EndLater(int slot, int cpu) => QueueWork(
        () =>
        {
            lock (_lock)
            {
                using var dying = new DyingFields(this, DeathPath.Delete);
                dying.Recycle(_pool, slot);
                Return(slot, cpu, isTaken: false);
            }
        },
        "an end");

    private void Remove(int at)
    {
        if (_fault == HostileFault.FillsHoles)
        {
            _elements[at] = _elements[^1];
            _elements.RemoveAt(_elements.Count - 1);
        }
        else
        {
            _elements.RemoveAt(at);
        }
    }

    private void Return(int slot, int cpu, bool isTaken)
    {
        if (_keptFor == GracePeriods.None || (isTaken && _fault == HostileFault.TakesUnderReaders))
        {
            _pool.Return(slot, cpu);
        }
        else
        {
            _pool.ReturnAfter(slot, _keptFor, cpu);
        }
    }

    private unsafe void Clear(int slot)
    {
        foreach (var cpu in IsPerCpu ? Core.PossibleCpus : [0])
        {
            new Span<byte>((void*)_pool.AddressOf(slot, cpu), ValueSize).Clear();
        }
    }
}
