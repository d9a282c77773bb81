using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests;

/// <summary>A value with a kptr between plain bytes.</summary>
public struct NaiveValue
{
    public ulong First;
    public Kptr<TaskStruct> Task;
    public ulong Last;
}

/// <summary>A value with kptrs of two kinds, and a lock.</summary>
public struct MixedValue
{
    public Kptr<Cgroup> Cgroup;
    public BpfSpinLock Lock;
    public int Plain;
    public Kptr<TaskStruct> Task;
    public Kptr<TaskStruct> Parent;
    public byte Last;
}

/// <summary>A value with kptrs to what is counted by hand, and to a task.</summary>
public struct MaskValue
{
    public Kptr<Cpumask> Mask;
    public int Plain;
    public Kptr<TaskStruct> Task;
}

/// <summary>
/// The map type that comes to mind first: a dictionary under a lock, and slots that wait for both kinds of readers.
/// Faults are planted in it by name.
/// </summary>
public sealed class NaiveMap : BpfMap
{
    // Races are held open for so long: machines are busy, and threads rarely meet where they could.
    private static readonly TimeSpan RaceWindow = TimeSpan.FromMilliseconds(1);
    private readonly Lock _lock = new();
    private readonly Lock _countLock = new();
    private readonly ManualResetEventSlim _idle = new();
    private readonly Dictionary<int, int> _slots = [];
    private readonly List<KernelRef<TaskStruct>> _forgotten = [];
    private readonly ValuePool _pool;
    private readonly int[] _keys;
    private readonly Fault _fault;
    private readonly Stack<int>? _ownFree;
    private int _count;
    private int _lastKey = -1;
    private ulong _lastFound;

    public NaiveMap(KernelCore core, uint maxEntries, Fault fault = Fault.None)
        : base(core, StructSpec.Of<int, NaiveValue>(core, "naive", BpfMapType.Hash, maxEntries))
    {
        _fault = fault;
        _pool = CreatePool((int)maxEntries * (fault == Fault.CountRaced ? 4 : 1));
        _keys = new int[_pool.SlotCount];
        if (fault is Fault.SlotReturnedTwice)
        {
            _ownFree = [];
            while (_pool.TryTake(out var slot))
            {
                _ownFree.Push(slot);
            }
        }
    }

    /// <summary>What it promises; with free slots of its own it cannot make them wait.</summary>
    public static MapCapabilities CapabilitiesOf(Fault fault) => new()
    {
        CanTake = true,
        Batches = MapBatchOps.All,
        ReadsWhole = true,
        KeptFor = fault == Fault.SlotReturnedTwice ? GracePeriods.None : GracePeriods.Both,
    };

    protected override MapBatchOps BatchOps => MapBatchOps.All;

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        var number = _keys[slot];
        BinaryPrimitives.WriteInt32LittleEndian(key, number);
        lock (_lock)
        {
            return _slots.TryGetValue(number, out var at) && at == slot;
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var number = NumberOf(key);
        lock (_lock)
        {
            if (_fault == Fault.StaleKey && number == _lastKey)
            {
                return _lastFound;
            }

            if (!_slots.TryGetValue(number, out var slot))
            {
                return 0;
            }

            (_lastKey, _lastFound) = (number, _pool.AddressOf(slot));
            return _lastFound;
        }
    }

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        lock (_lock)
        {
            if (!_slots.TryGetValue(NumberOf(key), out var slot))
            {
                return Errno.ENOENT;
            }

            Show(value, slot, flags, caller);
            return Errno.None;
        }
    }

    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.LookupAndDelete);
        lock (_lock)
        {
            if (!_slots.TryGetValue(NumberOf(key), out var slot))
            {
                return Errno.ENOENT;
            }

            Show(value, slot, flags, caller);
            Unlink(NumberOf(key), slot);
            dying.Recycle(_pool, slot);
            GiveBack(slot);
            return Errno.None;
        }
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist && _fault != Fault.UnknownFlagsTaken)
        {
            return Errno.EINVAL;
        }

        var number = NumberOf(key);
        if (_fault == Fault.FlagTestedOutsideLock && flags == MapUpdateFlags.NoExist)
        {
            lock (_lock)
            {
                if (_slots.ContainsKey(number))
                {
                    return Errno.EEXIST;
                }
            }

            _idle.Wait(RaceWindow);
            flags = MapUpdateFlags.Any;
        }

        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        var count = _count;
        using var outer = EnterOuter(_fault == Fault.LockOrderTurned ? _countLock : null);
        lock (_lock)
        {
            var exists = _slots.TryGetValue(number, out var slot);
            if (_fault == Fault.WrittenBeforeRefused && exists)
            {
                InitValue(_pool, slot, value, caller);
            }

            if (_fault == Fault.SlotLost && flags == MapUpdateFlags.Exist)
            {
                _pool.TryTake(out _);
            }

            if (CheckExistence(exists, flags & ~MapUpdateFlags.Lock) is var bad and not Errno.None)
            {
                return _fault == Fault.WrongErrno && bad == Errno.EEXIST ? Errno.EBUSY : bad;
            }

            if (!exists)
            {
                return Insert(number, value, caller, count);
            }

            if (_fault == Fault.HalfWritten)
            {
                ValueAt<NaiveValue>(_pool.AddressOf(slot)).First = BinaryPrimitives.ReadUInt64LittleEndian(value);
                dying.Recycle(_pool.AddressOf(slot));
            }
            else if (_fault == Fault.NoDestroyOnOverwrite)
            {
                InitValue(_pool, slot, value, caller);
            }
            else
            {
                dying.Overwrite(_pool, slot, value, MapUpdateFlags.Any, caller);
            }

            WriteSpecials(slot, value);
            return Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var number = NumberOf(key);
        using var dying = new DyingFields(this, DeathPath.Delete);
        var count = _count;
        lock (_lock)
        {
            if (!_slots.TryGetValue(number, out var slot))
            {
                return Errno.ENOENT;
            }

            Unlink(number, slot);
            using var inner = EnterOuter(_fault == Fault.LockOrderTurned ? _countLock : null);
            switch (_fault)
            {
                case Fault.NoDestroyOnDelete:
                    break;
                case Fault.NoDestroyAtMapFree when Policy.Behavior == DestroyBehavior.Recycle:
                    if (ValueAt<NaiveValue>(_pool.AddressOf(slot)).Task.Exchange(null) is { } kept)
                    {
                        _forgotten.Add(kept);
                    }

                    break;
                case Fault.DestroyedTwice:
                    var owned = ValueAt<NaiveValue>(_pool.AddressOf(slot)).Task.Exchange(null);
                    owned?.Release();
#pragma warning disable KPTR002 // the fault that is meant
                    owned?.Release();
#pragma warning restore KPTR002
                    break;
                case Fault.ReleasedByHand when Policy.Behavior == DestroyBehavior.Eager:
                    ValueAt<NaiveValue>(_pool.AddressOf(slot)).Task.Exchange(null)?.Release();
                    break;
                case Fault.DestructorCalledTwice when Policy.Behavior == DestroyBehavior.Eager:
                    EndTwice(dying, slot);
                    break;
                default:
                    dying.Recycle(_pool, slot);
                    break;
            }

            if (_fault == Fault.DestroyedUnderLock)
            {
                dying.Dispose();
            }

            GiveBack(slot);
        }

        if (_fault == Fault.CountRaced)
        {
            _idle.Wait(RaceWindow);
            _count = count - 1;
        }

        return Errno.None;
    }

    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        lock (_lock)
        {
            var keys = _slots.Keys.Order().ToList();
            var next = key.IsEmpty ? 0 : keys.IndexOf(NumberOf(key)) + 1;
            if (_fault == Fault.WalkSkipsAKey && next == 2)
            {
                next++;
            }

            if (next >= keys.Count)
            {
                return Errno.ENOENT;
            }

            BinaryPrimitives.WriteInt32LittleEndian(nextKey, keys[next]);
            return Errno.None;
        }
    }

    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        KeyValuePair<int, int>[] all;
        lock (_lock)
        {
            all = [.. _slots];
        }

        var visited = 0L;
        foreach (var (number, slot) in all)
        {
            visited++;
            if (CallBack(callback, BitConverter.GetBytes(number), _pool.AddressOf(slot)) != 0)
            {
                break;
            }
        }

        return visited;
    }

    protected override void OnFree()
    {
        // Nobody is in the map; but who was last has gone before anybody waited.
        if (_fault == Fault.WakeLost && _lastKey >= 0)
        {
            _idle.Wait();
        }
    }

    protected override void ReleaseUserRef()
    {
        base.ReleaseUserRef();
        if (_fault == Fault.DiesWithLastUser)
        {
            // Nobody reads it any more; but programs do.
            using var dying = new DyingFields(this, DeathPath.MapFree);
            for (var slot = 0; slot < _pool.SlotCount; slot++)
            {
                dying.Recycle(_pool, slot);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (_fault != Fault.NeverFreed)
        {
            base.Dispose(disposing);
        }
    }

    private Held EnterOuter(Lock? held)
    {
        if (held is not null)
        {
            held.Enter();
            _idle.Wait(RaceWindow);
        }

        return new(held);
    }

    private static int NumberOf(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadInt32LittleEndian(key);

    private Errno Insert(int number, ReadOnlySpan<byte> value, in MapCall caller, int count)
    {
        if (_fault == Fault.CountRaced)
        {
            _idle.Wait(RaceWindow);
        }

        if ((_fault == Fault.CountRaced && count >= MaxEntries) || !TryTakeSlot(out var slot))
        {
            if (_fault == Fault.ThrowsWhenFull)
            {
                throw new InvalidOperationException("no room");
            }

            if (_fault == Fault.EntryLostOnFull)
            {
                Unlink(_slots.Keys.Min(), _slots[_slots.Keys.Min()]);
            }

            return Errno.E2BIG;
        }

        if (_fault == Fault.EntryLostOnFlip && _slots.Count == MaxEntries - 1)
        {
            _slots.Remove(_slots.Keys.Min());
        }

        InitValue(_pool, slot, value, caller);
        WriteSpecials(slot, value);
        _keys[slot] = number;
        _slots[number] = slot;
        _count = count + 1;
        return Errno.None;
    }

    // With one more reference for the way.
    private void EndTwice(DyingFields dying, int slot)
    {
        ref var task = ref ValueAt<NaiveValue>(_pool.AddressOf(slot)).Task;
        if (task.Exchange(null) is { } first)
        {
            var second = first.Target.TryAcquire();
            task.Exchange(first)?.Release();
            dying.Recycle(_pool.AddressOf(slot));
            task.Exchange(second)?.Release();
        }

        dying.Recycle(_pool, slot);
    }

    private bool TryTakeSlot(out int slot) => _ownFree is null ? _pool.TryTake(out slot) : _ownFree.TryPop(out slot);

    private void Unlink(int number, int slot)
    {
        _slots.Remove(number);
        if (_fault == Fault.LateWrite)
        {
            // The slot waits for readers; what waits in the work queue after that has the next tenant before it.
            var late = _pool.AddressOf(slot);
            AfterReaders(GracePeriods.Both, () => QueueWork(() => ZeroPlain(late), "clear"), "clear");
        }
    }

    private void GiveBack(int slot)
    {
        switch (_fault)
        {
            case Fault.SlotReturnedTwice:
                _ownFree!.Push(slot);
                _ownFree.Push(slot);
                break;
            case Fault.PoolSlotReturnedTwice:
                _pool.Return(slot);
                _pool.Return(slot);
                break;
            case Fault.FreedUnderReader:
                _pool.Return(slot);
                break;
            case Fault.FreedUnderSleepingReader:
                _pool.ReturnAfter(slot, GracePeriods.Rcu);
                break;
            default:
                _pool.ReturnAfter(slot, GracePeriods.Both);
                break;
        }
    }

    private void Show(Span<byte> value, int slot, MapUpdateFlags flags, in MapCall caller)
    {
        ReadValue(value, _pool, slot, flags, caller);
        if (_fault == Fault.ShowsSpecials && !ValueAt<NaiveValue>(_pool.AddressOf(slot)).Task.IsNull)
        {
            value[8] = 1;
        }
    }

    private void WriteSpecials(int slot, ReadOnlySpan<byte> value)
    {
        if (_fault == Fault.WritesSpecials)
        {
            ValueAt<NaiveValue>(_pool.AddressOf(slot)) = MemoryMarshal.Read<NaiveValue>(value);
        }
    }

    private readonly ref struct Held(Lock? held)
    {
        public void Dispose() => held?.Exit();
    }
}
