using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;

namespace Kptr.Testing.Tests.History;

// Updates, and the chains.
public sealed partial class ChainMap
{
    private const int GrowAt = 3;

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist || ((flags & MapUpdateFlags.Lock) != 0 && !HasLock))
        {
            return Errno.EINVAL;
        }

        var number = NumberOf(key);
        using var dying = new DyingFields(this, IsPerCpu ? DeathPath.InPlaceUpdate : DeathPath.Replace);
        using var evicted = new DyingFields(this, DeathPath.Evict);
        var early = _bug == OldBug.LookedUpOutsideLock ? FindLocked(number) : End;
        var head = _heads[BucketOf(number)];
        if (_bug is OldBug.LookedUpOutsideLock or OldBug.HeadReadOutsideLock)
        {
            Pause();
        }

        lock (_lock)
        {
            var old = _bug == OldBug.LookedUpOutsideLock ? early : Find(number);
            var slot = End;
            if (_bug == OldBug.NodeLostOnRefusal && IsLru && !TakeSlot(evicted, out slot))
            {
                return Errno.ENOMEM;
            }

            var isAny = _bug == OldBug.FlagsIgnored
                || (_bug == OldBug.LockedUpdateIgnoresFlags && (flags & MapUpdateFlags.Lock) != 0);
            if (!isAny && CheckExistence(old != End, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (slot != End && old != End)
            {
                _pool.Return(slot);
            }

            if (old == End)
            {
                return Insert(number, slot, value, head, evicted, caller);
            }

            Touch(old);
            return IsPerCpu || (flags & MapUpdateFlags.Lock) != 0
                ? Overwrite(old, value, flags & MapUpdateFlags.Lock, dying, caller)
                : Replace(number, old, value, dying, caller);
        }
    }

    private bool HasLock => Record.Fields.Any(f => f.Kind == Btf.BtfFieldKind.SpinLock);

    private Errno Insert(
        int number, int slot, ReadOnlySpan<byte> value, int head, DyingFields evicted, in MapCall caller)
    {
        if (!IsLru && _count >= MaxEntries && _bug != OldBug.SpareIsRoom)
        {
            return Errno.E2BIG;
        }

        _count += _bug == OldBug.CountLostOnFailure ? 1 : 0;
        if (slot == End && !TakeSlot(evicted, out slot))
        {
            return Errno.E2BIG;
        }

        _count += _bug == OldBug.CountLostOnFailure ? 0 : 1;
        if (_bug == OldBug.LinkedBeforeWritten)
        {
            Link(number, slot);
            Pause();
        }

        Write(slot, value, caller);
        if (_bug == OldBug.HeadReadOutsideLock)
        {
            (_keys[slot], _next[slot], _heads[BucketOf(number)]) = (number, head, slot);
        }
        else if (_bug != OldBug.LinkedBeforeWritten)
        {
            Link(number, slot);
        }

        if (_bug == OldBug.EvictsTheNewKey)
        {
            _order.AddFirst(slot);
        }
        else
        {
            _order.AddLast(slot);
        }

        Grow();
        return Errno.None;
    }

    private Errno Overwrite(
        int slot, ReadOnlySpan<byte> value, MapUpdateFlags flags, DyingFields dying, in MapCall caller)
    {
        switch (_bug)
        {
            case OldBug.LockedUpdateForgets:
                CopyIn(_pool.AddressOf(slot), value, flags);
                break;
            case OldBug.PercpuOverwriteForgets when caller.IsUserSpace:
                InitValue(_pool, slot, value, caller);
                break;
            case OldBug.PercpuOverwriteEndsOne when caller.IsUserSpace:
                InitValue(_pool, slot, value, caller);
                dying.Recycle(_pool.AddressOf(slot));
                break;
            case OldBug.PercpuIndexedById or OldBug.PercpuProgramWritesAll:
                Write(slot, value, caller);
                dying.Recycle(_pool, slot);
                break;
            default:
                dying.Overwrite(_pool, slot, value, flags, caller);
                break;
        }

        _count += _bug == OldBug.CountRaisedOnReplace ? 1 : 0;
        return Errno.None;
    }

    private Errno Replace(
        int number, int old, ReadOnlySpan<byte> value, DyingFields dying, in MapCall caller)
    {
        if (_bug == OldBug.ReplaceNeedsRoom && _count >= MaxEntries)
        {
            return Errno.E2BIG;
        }

        if (_bug is OldBug.OldGoneBeforeNew or OldBug.KeyMissingWhileReplaced)
        {
            Unlink(old);
        }

        if (_bug == OldBug.KeyMissingWhileReplaced)
        {
            Pause();
        }

        if (!_pool.TryTake(out var slot))
        {
            return IsLru ? Overwrite(old, value, MapUpdateFlags.Any, dying, caller) : Errno.E2BIG;
        }

        Write(slot, value, caller);
        Link(number, slot);
        _order.AddLast(slot);
        _count += _bug == OldBug.CountRaisedOnReplace ? 2 : 1;
        if (_bug is not (OldBug.OldGoneBeforeNew or OldBug.KeyMissingWhileReplaced))
        {
            Unlink(old);
        }

        if (_bug != OldBug.ReplaceForgetsOld)
        {
            dying.Recycle(_pool, old);
        }

        _pool.Return(old);
        return Errno.None;
    }

    private void Write(int slot, ReadOnlySpan<byte> value, in MapCall caller)
    {
        var stride = UserValueSize / Core.Options.PossibleCpus.Count;
        switch (_bug)
        {
            case OldBug.PercpuNewShowsOthers when !caller.IsUserSpace:
                CopyIn(_pool.AddressOf(slot, caller.Cpu), value);
                break;
            case OldBug.PercpuIndexedById when caller.IsUserSpace:
                foreach (var cpu in Core.Options.PossibleCpus)
                {
                    CopyIn(_pool.AddressOf(slot, cpu), value[(cpu * stride % value.Length)..]);
                }

                break;
            case OldBug.PercpuProgramWritesAll when !caller.IsUserSpace:
                foreach (var cpu in Core.Options.PossibleCpus)
                {
                    CopyIn(_pool.AddressOf(slot, cpu), value);
                }

                break;
            default:
                InitValue(_pool, slot, value, caller);
                break;
        }
    }

    private bool TakeSlot(DyingFields evicted, out int slot)
    {
        if (IsLru && _count >= MaxEntries)
        {
            Evict(evicted);
        }

        return _pool.TryTake(out slot);
    }

    private void Evict(DyingFields evicted)
    {
        var victim = _order.First!.Value;
        if (_bug == OldBug.EvictedStaysLinked)
        {
            _order.RemoveFirst();
            _count--;
        }
        else
        {
            Unlink(victim);
        }

        if (_bug != OldBug.EvictForgets)
        {
            evicted.Recycle(_pool, victim);
        }

        _pool.Return(victim);
    }

    private void Touch(int slot)
    {
        if (_order.Remove(slot))
        {
            _order.AddLast(slot);
        }
    }

    private int Find(int key)
    {
        var steps = 0;
        for (var slot = _heads[BucketOf(key)]; slot != End && steps++ <= _next.Length; slot = _next[slot])
        {
            if (_bug == OldBug.HashComparedOnly || _keys[slot] == key
                || (_bug == OldBug.KeyComparedInPart && (ushort)_keys[slot] == (ushort)key))
            {
                return slot;
            }
        }

        return End;
    }

    private int FindLocked(int key)
    {
        lock (_lock)
        {
            return Find(key);
        }
    }

    private void Link(int key, int slot)
    {
        ref var head = ref _heads[BucketOf(key)];
        (_keys[slot], _next[slot]) = (key, head);
        head = slot;
    }

    private void Unlink(int slot, bool staysInOrder = false)
    {
        ref var at = ref _heads[BucketOf(_keys[slot])];
        for (var steps = 0; at != End && at != slot && steps < _next.Length; steps++)
        {
            at = ref _next[at];
        }

        if (at == slot)
        {
            at = _bug == OldBug.UnlinkBreaksChain ? End : _next[slot];
        }

        if (!staysInOrder)
        {
            _order.Remove(slot);
        }

        _count -= _bug == OldBug.CountKeptOnDelete ? 0 : 1;
    }

    // Once, as more elements come.
    private void Grow()
    {
        if (_count < GrowAt || _heads.Length > 2)
        {
            return;
        }

        var chains = Enumerable.Range(0, _heads.Length).Select(Chain).ToList();
        _heads = [End, End, End, End];
        foreach (var slot in chains.SelectMany(c => _bug == OldBug.GrowLosesTail ? c.Take(1) : c))
        {
            Link(_keys[slot], slot);
        }
    }

    private List<int> Slots() => [.. Enumerable.Range(0, _heads.Length).SelectMany(Chain)];

    private List<int> Chain(int bucket)
    {
        var all = new List<int>();
        for (var slot = _heads[bucket]; slot != End && all.Count < _next.Length; slot = _next[slot])
        {
            all.Add(slot);
        }

        return all;
    }

    private int BucketOf(int key) => (int)((uint)key % (uint)_heads.Length);

    private static int NumberOf(ReadOnlySpan<byte> key) => MemoryMarshal.Read<int>(key);
}
