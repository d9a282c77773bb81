using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Forms;

/// <summary>Faults of local storage.</summary>
public enum StorageFault
{
    None,
    OutlivesOwner,
    EndsWithRecycle,
    SharedByAll,
    LeavesSlotOfOwner,
    DeleteForgets,
    NoSuchOwnerIsNoKey,
}

/// <summary>A value a task, which ends with it; the kernel's tracepoint says when.</summary>
public sealed class PlainStorage : BpfMap
{
    private const int Slots = 1024;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, int> _slots = [];
    private readonly IDisposable _ends;
    private readonly ValuePool _pool;
    private readonly StorageFault _fault;

    public PlainStorage(KernelCore core, StorageFault fault)
        : base(core, StructSpec.Of<int, NaiveValue>(core, "storage", BpfMapType.TaskStorage, 0, MapFlags.NoPrealloc))
    {
        _fault = fault;
        _pool = CreatePool(Slots);
        _ends = ((KernelModel)core).On("sched_process_free", (TaskStruct task) => EndOf(task.Pid));
    }

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        lock (_lock)
        {
            foreach (var (pid, at) in _slots.Where(s => s.Value == slot))
            {
                BinaryPrimitives.WriteInt32LittleEndian(key, pid);
                return true;
            }

            return false;
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        lock (_lock)
        {
            return _slots.TryGetValue(NumberOf(key), out var slot) ? _pool.AddressOf(slot) : 0;
        }
    }

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        HasOwner(key) ? base.ReadValue(key, value, flags, caller) : NoOwner;

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        if (!HasOwner(key))
        {
            return NoOwner;
        }

        // Under every policy what is replaced ends, so a new slot takes the value.
        using var dying = new DyingFields(this, DeathPath.StorageDelete);
        lock (_lock)
        {
            var number = NumberOf(key);
            var exists = _slots.TryGetValue(number, out var old);
            if (CheckExistence(exists, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (exists && _fault == StorageFault.EndsWithRecycle)
            {
                using var recycled = new DyingFields(this, DeathPath.InPlaceUpdate);
                recycled.Overwrite(_pool, old, value, flags, caller);
                return Errno.None;
            }

            if (!_pool.TryTake(out var slot, caller.Cpu))
            {
                return Errno.ENOMEM;
            }

            InitValue(_pool, slot, value, caller);
            _slots[number] = slot;
            if (exists)
            {
                dying.Recycle(_pool, old);
                _pool.ReturnAfter(old, GracePeriods.Both, caller.Cpu);
            }

            return Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        !HasOwner(key) ? NoOwner
        : End(NumberOf(key), DeathPath.StorageDelete, _fault == StorageFault.DeleteForgets) ? Errno.None : Errno.ENOENT;

    protected override void OnFree() => _ends.Dispose();

    private Errno NoOwner => _fault == StorageFault.NoSuchOwnerIsNoKey ? Errno.ENOENT : Errno.EBADF;

    private void EndOf(int pid)
    {
        if (_fault != StorageFault.OutlivesOwner && !IsFreed)
        {
            End(pid, DeathPath.OwnerExit, _fault == StorageFault.LeavesSlotOfOwner);
        }
    }

    private bool HasOwner(ReadOnlySpan<byte> key) =>
        Core.Tasks.Find(BinaryPrimitives.ReadInt32LittleEndian(key)) is not null;

    private int NumberOf(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadInt32LittleEndian(key) switch
    {
        _ when _fault == StorageFault.SharedByAll => 0,
        var pid => pid,
    };

    private bool End(int number, DeathPath path, bool forgets)
    {
        using var dying = new DyingFields(this, path);
        lock (_lock)
        {
            if (!_slots.Remove(number, out var slot))
            {
                return false;
            }

            if (!forgets)
            {
                dying.Recycle(_pool, slot);
                _pool.ReturnAfter(slot, GracePeriods.Both);
            }

            return true;
        }
    }
}
