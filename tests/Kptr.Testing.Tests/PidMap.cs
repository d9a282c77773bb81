using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

public struct Seen
{
    public ulong Times;
    public Kptr<TaskStruct> Task;
}

public sealed class PidMap : BpfMap
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, int> _slots = [];
    private readonly ValuePool _pool;
    private readonly int[] _pids;

    public PidMap(KernelCore core, uint maxEntries)
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
        lock (_lock)
        {
            var exists = _slots.TryGetValue(pid, out var slot);
            if (CheckExistence(exists, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (!exists && !_pool.TryTake(out slot))
            {
                return Errno.E2BIG;
            }

            InitValue(_pool, slot, value, caller);      // the bug: who ends the old value's task?
            (_pids[slot], _slots[pid]) = (pid, slot);
            return Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        lock (_lock)
        {
            if (!_slots.Remove(BinaryPrimitives.ReadInt32LittleEndian(key), out var slot))
            {
                return Errno.ENOENT;
            }

            dying.Recycle(_pool, slot);
            _pool.ReturnAfter(slot, GracePeriods.Both);
            return Errno.None;
        }
    }
}
