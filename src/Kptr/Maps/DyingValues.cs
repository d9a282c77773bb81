using System.Buffers;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>
/// What <see cref="DyingFields"/> does, without memory of its own: for the map types of this assembly.
/// </summary>
/// <remarks>
/// Never handed on by value: what a copy has taken out, nobody destroys.
/// </remarks>
internal struct DyingValues : IDisposable
{
    private readonly BpfMap _map;
    private readonly DeathPath _path;
    private readonly DeathAction _action;
    private readonly bool _isUnlocked;
    private Items _items;
    private Item[]? _more;
    private Failures _failures;
    private int _count;

    /// <summary>
    /// Begins to collect. Memory for what one slot may own is set aside here, so that nothing fails under the lock.
    /// </summary>
    internal DyingValues(BpfMap map, DeathPath path)
        : this(map, path, isUnlocked: false)
    {
    }

    private DyingValues(BpfMap map, DeathPath path, bool isUnlocked)
    {
        _isUnlocked = isUnlocked;
        _map = map;
        _path = path;
        _action = map.HoldsMaps ? DeathAction.Destroy
            : map.Layout.HasSpecials ? map.Policy.ActionOn(path)
            : DeathAction.Keep;
        Reserve(1);
    }

    /// <summary>
    /// Begins to collect where no lock is held until the end: what does not fit is destroyed at
    /// once, and no memory is needed.
    /// </summary>
    internal static DyingValues Unlocked(BpfMap map, DeathPath path) => new(map, path, isUnlocked: true);

    /// <summary>Slots that can be ended before more memory is needed.</summary>
    internal readonly int SlotsLeft => _action == DeathAction.Keep
        ? int.MaxValue
        : (Items.Length + (_more?.Length ?? 0) - _count) / FieldsPerSlot;

    private readonly int FieldsPerSlot =>
        Math.Max(1, _map.Record.Fields.Length) * (_map.IsPerCpu ? _map.Core.CpuCount : 1);

    /// <summary>Sets memory aside for this many slots more.</summary>
    /// <remarks>Call it with no lock held where more than one slot may end.</remarks>
    /// <param name="slots">How many.</param>
    /// <exception cref="OutOfMemoryException">Nothing was done.</exception>
    internal void Reserve(int slots)
    {
        if (_action != DeathAction.Keep && SlotsLeft < slots)
        {
            ReserveFields((long)slots * FieldsPerSlot);
        }
    }

    /// <summary>Ends one value of the map: does to its special fields what the policy says for the path.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void RecycleAt(ulong value)
    {
        if (_action != DeathAction.Keep)
        {
            TakeFields(value);
        }
    }

    /// <summary>Ends all values in a slot of the map: one, or one per CPU.</summary>
    internal void Recycle(ValuePool pool, int slot)
    {
        NoteEnd(pool, slot);
        for (var cpu = 0; _action != DeathAction.Keep && cpu < pool.CpuCount; cpu++)
        {
            TakeFields(pool.ValueOf(slot, cpu));
        }
    }

    /// <summary>
    /// Writes values of the map over in place; what their special fields held ends as the policy says.
    /// </summary>
    internal void Overwrite(
        ValuePool pool, int slot, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            _map.WriteValue(pool, slot, value, flags, caller, ref this);

    /// <summary>Destroys what was taken out: all of it, whatever one destructor throws.</summary>
    /// <remarks>Call it with no lock held. The first exception of a destructor is thrown on at the end.</remarks>
    public void Dispose()
    {
        DestroyCollected();
        if (_more is { } more)
        {
            _more = null;
            ArrayPool<Item>.Shared.Return(more);
        }

        var failures = _failures;
        _failures = default;
        failures.ThrowIfAny();
    }

    private void DestroyCollected()
    {
        if (_count > 0)
        {
            LockOrder.CallingOut("a destructor");
        }

        var count = _count;
        _count = 0;
        for (var i = 0; i < count; i++)
        {
            try
            {
                Destroy(i < Items.Length ? _items[i] : _more![i - Items.Length]);
            }
            catch (Exception e)
            {
                _failures.Add(_map.Core, e);
            }
        }

        _more?.AsSpan(0, Math.Max(0, count - Items.Length)).Clear();
    }

    /// <summary>The value in the slot was handed over.</summary>
    internal readonly void NoteEnd(ValuePool pool, int slot)
    {
        if (_path is not (DeathPath.InPlaceUpdate or DeathPath.LockedUpdate))
        {
            pool.NoteEnd(slot);
        }
    }

    private void TakeFields(ulong value)
    {
        ReserveFields(Math.Max(1, _map.Record.Fields.Length));
        if (_map.HoldsMaps)
        {
            Keep(null, InnerMaps.TakeOut(value));
            return;
        }

        foreach (var field in _map.Record.Fields)
        {
            var at = value + (ulong)field.OffsetBytes;
            switch (field.Kind)
            {
                case BtfFieldKind.Timer or BtfFieldKind.Workqueue or BtfFieldKind.TaskWork:
                    Keep(_map.AsyncFields?.Cancel(_map, field, at));
                    break;
                case BtfFieldKind.KptrUnref or BtfFieldKind.KptrRef or BtfFieldKind.KptrPercpu or BtfFieldKind.Uptr
                    or BtfFieldKind.ListHead or BtfFieldKind.RbRoot when _action == DeathAction.Destroy:
                    Keep(field, FieldOwnership.TakeOut(_map, field, at));
                    break;
            }
        }
    }

    // Before anything is taken out: what fails here leaves the value as it was.
    private void ReserveFields(long count)
    {
        var room = Items.Length + (_more?.Length ?? 0);
        if (_isUnlocked || _count + count <= room)
        {
            return;
        }

        _map.Allocating();
        var more = ArrayPool<Item>.Shared.Rent(
            checked((int)Math.Max(_count + count - Items.Length, 2L * (_more?.Length ?? 0))));
        if (_more is { } old)
        {
            old.CopyTo(more, 0);
            ArrayPool<Item>.Shared.Return(old, clearArray: true);
        }

        _more = more;
    }

    private void Keep(IDisposable? cancelled)
    {
        if (cancelled is not null)
        {
            Add(new(cancelled, 0));
        }
    }

    private void Keep(BtfField? field, ulong owned)
    {
        if (owned != 0)
        {
            Add(new(field, owned));
        }
    }

    private void Add(Item item)
    {
        if (_isUnlocked && _count == Items.Length)
        {
            DestroyCollected();
        }

        if (_count < Items.Length)
        {
            _items[_count++] = item;
        }
        else
        {
            _more![_count++ - Items.Length] = item;
        }
    }

    private readonly void Destroy(Item item)
    {
        switch (item.What)
        {
            case null:
                InnerMaps.Drop(_map, item.Owned, needsDefer: _path != DeathPath.MapFree);
                break;
            case BtfField field:
                _map.OnFieldDied(_path, field);
                FieldOwnership.Destroy(_map.Core, field, item.Owned);
                break;
            default:
                ((IDisposable)item.What).Dispose();
                break;
        }
    }

    // What: the field that owned something, the timer or work that was taken out, or null for a map.
    private readonly record struct Item(object? What, ulong Owned);

    [InlineArray(Length)]
    private struct Items
    {
        internal const int Length = 4;
        private Item _first;
    }
}
