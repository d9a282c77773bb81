using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Pages;

/// <summary>
/// The map of docs/testing-your-map.md, mended as the page says; its delete is that of docs/writing-a-map.md.
/// </summary>
public sealed class MyMap : BpfMap
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, int> _slots = [];
    private readonly ValuePool _pool;
    private readonly int[] _pids;

    public MyMap(KernelCore core, uint maxEntries)
        : base(core, StructSpec.Of<int, Seen>(core, "pids", BpfMapType.Hash, maxEntries))
    {
        _pool = CreatePool((int)maxEntries);
        _pids = new int[maxEntries];
    }

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        BinaryPrimitives.WriteInt32LittleEndian(key, _pids[slot]);
        lock (_lock)
        {
            return _slots.TryGetValue(_pids[slot], out var at) && at == slot;
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        lock (_lock)
        {
            return _slots.TryGetValue(BinaryPrimitives.ReadInt32LittleEndian(key), out var slot)
                ? _pool.AddressOf(slot) : 0;
        }
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var pid = BinaryPrimitives.ReadInt32LittleEndian(key);
        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        lock (_lock)
        {
            var exists = _slots.TryGetValue(pid, out var slot);
            if (CheckExistence(exists, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (exists)
            {
                dying.Overwrite(_pool, slot, value, flags, caller);
                return Errno.None;
            }

            if (!_pool.TryTake(out slot))
            {
                return Errno.E2BIG;
            }

            InitValue(_pool, slot, value, caller);
            (_pids[slot], _slots[pid]) = (pid, slot);
            return Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);   // before the lock: destructors run after it
        lock (_lock)
        {
            if (!_slots.Remove(BinaryPrimitives.ReadInt32LittleEndian(key), out var slot))
            {
                return Errno.ENOENT;
            }

            dying.Recycle(_pool, slot);
            _pool.Return(slot);
            return Errno.None;
        }
    }
}
