using System.Runtime.CompilerServices;
using Kptr.Btf;

namespace Kptr.Maps;

/// <summary>
/// What values lose at their end: taken out of their special fields at once, destroyed when this is disposed, after the
/// map's locks are left.
/// </summary>
/// <remarks>
/// Declare it before the lock is taken (<c>using var dying = new DyingFields(map, path)</c>): destructors then cannot run under
/// a lock of the map, and the emptied memory may be reused before they ran. That order is what Linux has to choose badly:
/// destroying after unlock raced with reuse of the spare element, destroying under the lock may sleep (58f038e6d209, 2025).
/// </remarks>
public ref struct DyingFields
{
    private readonly BpfMap _map;
    private readonly DeathPath _path;
    private readonly DeathAction _action;
    private Items _items;
    private List<Item>? _more;
    private int _count;

    /// <summary>Begins to collect.</summary>
    /// <param name="map">The map whose values end.</param>
    /// <param name="path">How; with the map's <see cref="DestroyPolicy"/> it decides what happens to the fields.</param>
    public DyingFields(BpfMap map, DeathPath path)
    {
        ArgumentNullException.ThrowIfNull(map);
        _map = map;
        _path = path;
        _action = map.HoldsMaps ? DeathAction.Destroy : map.Layout.HasSpecials ? map.Policy.ActionOn(path) : DeathAction.Keep;
    }

    /// <summary>Ends one value: does to its special fields what the policy says for the path.</summary>
    /// <param name="value">Address of the value.</param>
    /// <exception cref="ArgumentException">No value of the map begins there.</exception>
    public void Recycle(ulong value)
    {
        CheckMade();
        _map.CheckValue(value, out var pool, out var slot);
        NoteEnd(pool, slot);
        RecycleAt(value);
    }

    /// <summary>As <see cref="Recycle(ulong)"/>, for a value that is known to be the map's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void RecycleAt(ulong value)
    {
        if (_action != DeathAction.Keep)
        {
            TakeFields(value);
        }
    }

    /// <summary>Ends all values in a slot: one, or one per CPU.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="slot">The slot.</param>
    public void Recycle(ValuePool pool, int slot)
    {
        CheckMade();
        _map.CheckSlot(pool, slot);
        NoteEnd(pool, slot);
        for (var cpu = 0; _action != DeathAction.Keep && cpu < pool.CpuCount; cpu++)
        {
            TakeFields(pool.ValueOf(slot, cpu));
        }
    }

    /// <summary>Writes values over in place; what their special fields held ends as the policy says.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="slot">The element's slot.</param>
    /// <param name="value">One value, or one per CPU, as the map was handed it.</param>
    /// <param name="flags">With <see cref="MapUpdateFlags.Lock"/>, under the value's own spin lock.</param>
    /// <param name="caller">Who asks for it.</param>
    public void Overwrite(ValuePool pool, int slot, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        CheckMade();
        _map.CheckSlot(pool, slot);
        _map.WriteValue(pool, slot, value, flags, caller, ref this);
    }

    /// <summary>Destroys what was taken out.</summary>
    public void Dispose()
    {
        var count = _count;
        _count = 0;
        for (var i = 0; i < count; i++)
        {
            Destroy(i < Items.Length ? _items[i] : _more![i - Items.Length]);
        }

        _more = null;
    }

    private readonly void CheckMade()
    {
        if (_map is null)
        {
            throw new InvalidOperationException($"a default {nameof(DyingFields)} has no map");
        }
    }

    private readonly void NoteEnd(ValuePool pool, int slot)
    {
        if (_path is not (DeathPath.InPlaceUpdate or DeathPath.LockedUpdate))
        {
            pool.NoteEnd(slot);
        }
    }

    private void TakeFields(ulong value)
    {
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
                    _map.AsyncFields?.CancelAndFree(_map, field, at);
                    break;
                case BtfFieldKind.KptrUnref or BtfFieldKind.KptrRef or BtfFieldKind.KptrPercpu or BtfFieldKind.Uptr
                    or BtfFieldKind.ListHead or BtfFieldKind.RbRoot when _action == DeathAction.Destroy:
                    TakeOwned(field, at);
                    break;
            }
        }
    }

    private void TakeOwned(BtfField field, ulong at)
    {
        Keep(field, FieldOwnership.TakeOut(_map, field, at));
    }

    private void Keep(BtfField? field, ulong owned)
    {
        if (owned == 0)
        {
            return;
        }

        if (_count < Items.Length)
        {
            _items[_count] = new(field, owned);
        }
        else
        {
            (_more ??= []).Add(new(field, owned));
        }

        _count++;
    }

    private readonly void Destroy(Item item)
    {
        if (item.Field is null)
        {
            InnerMaps.Drop(_map, item.Owned, needsDefer: _path != DeathPath.MapFree);
            return;
        }

        _map.OnFieldDied(_path, item.Field);
        FieldOwnership.Destroy(_map.Core, item.Field, item.Owned);
    }

    private readonly record struct Item(BtfField? Field, ulong Owned);

    [InlineArray(Length)]
    private struct Items
    {
        internal const int Length = 4;
        private Item _first;
    }
}
