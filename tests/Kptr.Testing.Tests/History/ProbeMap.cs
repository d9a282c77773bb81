using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.History;

/// <summary>
/// A table with open addressing: cells that name a slot, linear probing, tombstones. As unlike Linux's hashes as a map
/// can be; <see cref="ProbeFault"/> is planted in it.
/// </summary>
public sealed class ProbeMap : BpfMap
{
    private const int Empty = -1;
    private const int Tombstone = -2;
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _never = new();
    private readonly ValuePool _pool;
    private readonly int[] _keys;
    private readonly int[] _cells;
    private readonly ProbeFault _fault;
    private int _count;
    private int _missed = int.MinValue;
    private int _looks;

    public ProbeMap(KernelCore core, uint maxEntries, ProbeFault fault = ProbeFault.None)
        : base(core, StructSpec.Of<int, NaiveValue>(core, "probe", BpfMapType.Hash, maxEntries))
    {
        _fault = fault;
        _pool = CreatePool((int)maxEntries * 2);
        _keys = new int[_pool.SlotCount];
        _cells = new int[(int)maxEntries + 2];
        Array.Fill(_cells, Empty);
    }

    public static MapCapabilities Capabilities { get; } = MapCapabilities.Hash with
    {
        ReadsWhole = true, CanVisit = false,
    };

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        MemoryMarshal.Write(key, _keys[slot]);
        lock (_lock)
        {
            return CellOf(_keys[slot]) is var cell and >= 0 && _cells[cell] == slot;
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        lock (_lock)
        {
            var number = MemoryMarshal.Read<int>(key);
            if (_fault == ProbeFault.MissCached && number == _missed)
            {
                return 0;
            }

            var cell = CellOf(number);
            _missed = cell < 0 && caller.Cpu == 0 ? number : _missed;
            return cell < 0 ? 0 : _pool.AddressOf(_cells[cell]);
        }
    }

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var number = MemoryMarshal.Read<int>(key);
        if (_fault is ProbeFault.CellReadTwice or ProbeFault.ResizedUnderLookup)
        {
            var early = CellOf(number);
            var slot = early < 0 ? early : _cells[early];
            Pause();
            var now = early < 0 ? early : _cells[early];
            var used = _fault == ProbeFault.CellReadTwice ? now : slot;
            if (used >= 0)
            {
                ReadValue(value, _pool, used, flags, caller);
            }

            return used < 0 ? Errno.ENOENT : Errno.None;
        }

        lock (_lock)
        {
            var cell = CellOf(number);
            if (cell < 0)
            {
                return Errno.ENOENT;
            }

            ReadValue(value, _pool, _cells[cell], flags, caller);
            return Errno.None;
        }
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var number = MemoryMarshal.Read<int>(key);
        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        if (_fault == ProbeFault.OverwriteIsDeleteThenInsert && flags == MapUpdateFlags.Any)
        {
            DeleteValue(key, caller);
            Pause();
        }

        lock (_lock)
        {
            var cell = CellOf(number);
            if (CheckExistence(cell >= 0, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (cell >= 0)
            {
                dying.Overwrite(_pool, _cells[cell], value, flags, caller);
                return Errno.None;
            }

            return Insert(number, value, caller);
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        lock (_lock)
        {
            var cell = CellOf(MemoryMarshal.Read<int>(key));
            if (cell < 0)
            {
                return Errno.ENOENT;
            }

            var slot = _cells[cell];
            _cells[cell] = Tombstone;
            _count -= _fault == ProbeFault.CountsTombstones ? 0 : 1;
            if (_fault == ProbeFault.ShiftForgetsWrap)
            {
                ShiftBack(cell);
            }

            dying.Recycle(_pool, _fault == ProbeFault.EndsAnotherSlot && slot > 0 ? slot - 1 : slot);
            _pool.Return(slot);
            return Errno.None;
        }
    }

    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        lock (_lock)
        {
            var cell = key.IsEmpty ? -1 : Math.Max(-1, CellOf(MemoryMarshal.Read<int>(key)));
            while (++cell < _cells.Length)
            {
                if (_cells[cell] >= 0)
                {
                    MemoryMarshal.Write(nextKey, _keys[_cells[cell]]);
                    return Errno.None;
                }

                if (_cells[cell] == Tombstone && _fault == ProbeFault.WalkEndsAtTombstone)
                {
                    break;
                }
            }

            return Errno.ENOENT;
        }
    }

    private Errno Insert(int number, ReadOnlySpan<byte> value, in MapCall caller)
    {
        if (_count >= MaxEntries && _fault != ProbeFault.TableFullNotSeen)
        {
            return Errno.E2BIG;
        }

        var cell = FreeCell(number);
        if (cell < 0 || !_pool.TryTake(out var slot))
        {
            return Errno.E2BIG;
        }

        if (_fault == ProbeFault.ValuesMoveOnGrow && _count == MaxEntries - 1)
        {
            Move();
        }

        InitValue(_pool, slot, value, caller);
        (_keys[slot], _cells[cell]) = (number, slot);
        _count++;
        return Errno.None;
    }

    private int FreeCell(int number)
    {
        for (var i = 0; i < _cells.Length; i++)
        {
            var cell = (Home(number) + i) % _cells.Length;
            if (_cells[cell] == Empty || (_cells[cell] == Tombstone && _fault != ProbeFault.TombstonesNeverReused))
            {
                return cell;
            }
        }

        return -1;
    }

    private int CellOf(int number)
    {
        for (var i = 0; i < _cells.Length; i++)
        {
            var cell = Home(number) + i;
            if (cell >= _cells.Length && _fault == ProbeFault.NoWrapAround)
            {
                return -1;
            }

            var slot = _cells[cell % _cells.Length];
            if (slot == Empty || (slot == Tombstone
                && _fault is ProbeFault.ProbeEndsAtTombstone or ProbeFault.TombstoneTakenTooSoon))
            {
                return -1;
            }

            if (slot >= 0 && _keys[slot] == number)
            {
                return cell % _cells.Length;
            }
        }

        return -1;
    }

    // Closes the gap instead of leaving a tombstone; cells whose keys began behind the end are forgotten.
    private void ShiftBack(int gap)
    {
        _cells[gap] = Empty;
        for (var cell = gap + 1; cell < _cells.Length && _cells[cell] >= 0; cell++)
        {
            if (Home(_keys[_cells[cell]]) <= gap)
            {
                (_cells[gap], _cells[cell]) = (_cells[cell], Empty);
                gap = cell;
            }
        }
    }

    // A table that grows by copying: what programs and slots hold stays behind.
    private void Move()
    {
        foreach (ref var cell in _cells.AsSpan())
        {
            if (cell >= 0 && _pool.TryTake(out var slot))
            {
                CopyIn(_pool.AddressOf(slot), MemoryOf(cell));
                _keys[slot] = _keys[cell];
                _pool.Return(cell);
                cell = slot;
            }
        }
    }

    private byte[] MemoryOf(int slot)
    {
        var bytes = new byte[ValueSize];
        CopyOut(bytes, _pool.AddressOf(slot));
        return bytes;
    }

    private int Home(int number) => (int)((uint)(number * 31) % (uint)_cells.Length);

    private void Pause()
    {
        if (Interlocked.Increment(ref _looks) % 8 == 0)
        {
            _never.Wait(TimeSpan.FromMilliseconds(1));
        }
    }
}
