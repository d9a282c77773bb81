using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// A map type of one's own to begin with: any keys, values in one pool, all under one lock. Override what yours does
/// otherwise, and call the base for the rest.
/// </summary>
/// <remarks>
/// A full map refuses new keys with <see cref="Errno.E2BIG"/>; walks follow the slots; an update under
/// <see cref="MapUpdateFlags.Lock"/> ends the old value like any other. What user space reads is whole. Safe for any
/// number of threads. Nothing that is overridden or handed in is called under its lock.
/// </remarks>
public abstract class KeyedMap : BpfMap
{
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly Dictionary<byte[], int> _slots = new(ByteKeys.Comparer);
    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> _slotOf;
    private readonly ValuePool _values;
    private readonly Element[] _elements;
    private readonly GracePeriods _keptFor;
    private long _births;

    /// <summary>Makes an empty map.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="spec">The blueprint; its <see cref="MapSpec.MaxEntries"/> values are allocated at once.</param>
    /// <param name="keptFor">Whose readers keep a deleted element whole; none, and its memory may get another key at
    /// once, as in Linux's preallocated hashes.</param>
    /// <exception cref="MapCreateException">There is not so much memory, or the blueprint is refused.</exception>
    protected KeyedMap(KernelCore core, MapSpec spec, GracePeriods keptFor = GracePeriods.None)
        : base(core, spec)
    {
        _keptFor = keptFor;
        _slotOf = _slots.GetAlternateLookup<ReadOnlySpan<byte>>();
        _values = CreatePool((int)Math.Clamp(MaxEntries, 1, int.MaxValue));
        _elements = new Element[_values.SlotCount];
    }

    /// <summary>Elements that are there.</summary>
    public int Count
    {
        get
        {
            using (_lock.Enter())
            {
                return _slots.Count;
            }
        }
    }

    /// <inheritdoc/>
    protected override MapBatchOps BatchOps => MapBatchOps.All;

    /// <summary>
    /// How long ago the element in a slot was made, by the kernel's clock; an overwrite does not count.
    /// </summary>
    /// <param name="slot">A slot that <see cref="RemoveWhere"/> asks about.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    protected TimeSpan AgeOf(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slot);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(slot, _elements.Length);
        return TimeSpan.FromTicks(
            (Core.NowNs - Volatile.Read(ref _elements[slot].BornNs)) / TimeSpan.NanosecondsPerTick);
    }

    /// <summary>Ends all elements that are over.</summary>
    /// <param name="path">How they end: <see cref="DeathPath.Evict"/> where nobody asked for it.</param>
    /// <param name="isOver">Asked of each slot with an element, with no lock held.</param>
    /// <returns>Elements that are left.</returns>
    protected int RemoveWhere(DeathPath path, Func<int, bool> isOver)
    {
        ArgumentNullException.ThrowIfNull(isOver);
        (int Slot, long Birth)[] all;
        using (_lock.Enter())
        {
            all = [.. _slots.Values.Select(slot => (slot, _elements[slot].Birth))];
        }

        var over = all.Where(e => isOver(e.Slot)).ToList();
        using var dying = new DyingFields(this, path);
        using var held = _lock.Enter();
        foreach (var (slot, birth) in over)
        {
            // Meanwhile it may have gone, and its slot to another key.
            if (_elements[slot] is { Key: { } key } && _elements[slot].Birth == birth)
            {
                Remove(key, slot, dying);
            }
        }

        return _slots.Count;
    }

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        using (_lock.Enter())
        {
            return _elements[slot].Key is { } there && there.AsSpan().TryCopyTo(key);
        }
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using (_lock.Enter())
        {
            return _slotOf.TryGetValue(key, out var slot) ? _values.AddressOf(slot, caller.Cpu) : 0;
        }
    }

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        using (_lock.Enter())
        {
            if (!_slotOf.TryGetValue(key, out var slot))
            {
                return Errno.ENOENT;
            }

            ReadValue(value, _values, slot, flags, caller);
            return Errno.None;
        }
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist
            || ((flags & MapUpdateFlags.Lock) != 0 && Layout.LockOffset < 0))
        {
            return Errno.EINVAL;
        }

        var nowNs = Core.NowNs;
        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        using var held = _lock.Enter();
        var exists = _slotOf.TryGetValue(key, out var slot);
        if (CheckExistence(exists, flags) is var bad and not Errno.None)
        {
            return bad;
        }

        if (exists)
        {
            dying.Overwrite(_values, slot, value, flags & MapUpdateFlags.Lock, caller);
            return Errno.None;
        }

        if (!_values.TryTake(out slot, caller.Cpu))
        {
            return Errno.E2BIG;
        }

        InitValue(_values, slot, value, caller);
        _elements[slot] = new() { Key = key.ToArray(), Birth = ++_births, BornNs = nowNs };
        _slots.Add(_elements[slot].Key!, slot);
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        using var held = _lock.Enter();
        return _slotOf.TryGetValue(key, out var actual, out var slot) ? Remove(actual, slot, dying) : Errno.ENOENT;
    }

    /// <inheritdoc/>
    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.LookupAndDelete);
        using var held = _lock.Enter();
        if (!_slotOf.TryGetValue(key, out var actual, out var slot))
        {
            return Errno.ENOENT;
        }

        ReadValue(value, _values, slot, flags, caller);
        return Remove(actual, slot, dying);
    }

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        using (_lock.Enter())
        {
            var next = NextSlot(_slotOf.TryGetValue(key, out var slot) ? slot : -1);
            return next >= 0 && _elements[next].Key.AsSpan().TryCopyTo(nextKey) ? Errno.None : Errno.ENOENT;
        }
    }

    /// <inheritdoc/>
    protected override long VisitValues(MapElemCallback callback, in MapCall caller)
    {
        var visited = 0L;
        for (var slot = -1; TryVisitNext(ref slot, out var key);)
        {
            visited++;
            if (CallBack(callback, key, _values.AddressOf(slot, caller.Cpu)) != 0)
            {
                break;
            }
        }

        return visited;
    }

    private bool TryVisitNext(ref int slot, out byte[]? key)
    {
        using (_lock.Enter())
        {
            slot = NextSlot(slot);
            key = slot < 0 ? null : _elements[slot].Key;
            return slot >= 0;
        }
    }

    private int NextSlot(int after) => Array.FindIndex(_elements, after + 1, static e => e.Key is not null);

    private Errno Remove(byte[] key, int slot, DyingFields dying)
    {
        _slots.Remove(key);
        _elements[slot].Key = null;
        dying.Recycle(_values, slot);
        if (_keptFor == GracePeriods.None)
        {
            _values.Return(slot);
        }
        else
        {
            _values.ReturnAfter(slot, _keptFor);
        }

        return Errno.None;
    }

    private struct Element
    {
        internal byte[]? Key;
        internal long Birth;
        internal long BornNs;
    }
}
