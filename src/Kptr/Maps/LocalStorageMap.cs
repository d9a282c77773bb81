using System.Buffers.Binary;
using System.Collections.Concurrent;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// <c>BPF_MAP_TYPE_TASK_STORAGE</c>, <c>CGRP_STORAGE</c>, <c>SK_STORAGE</c> and
/// <c>INODE_STORAGE</c>: one value per owner.
/// </summary>
/// <remarks>
/// A value ends with its owner, with the map, or by delete, with all it holds; under <c>Recycle</c> what a deleted one
/// holds dies with its memory. An update swaps a new element in; the old memory waits for both RCU flavours, and a last
/// look at it finds what a late writer left, which Linux 6.12 loses. User space names owners by a number: a task by its
/// pid (Linux: a pidfd), a cgroup by its id, a socket or inode by its address's low 32 bits. Kernel:
/// <c>kernel/bpf/bpf_local_storage.c</c> (6.12).
/// </remarks>
public class LocalStorageMap : BpfMap
{
    /// <summary><c>BPF_LOCAL_STORAGE_GET_F_CREATE</c></summary>
    internal const ulong GetFlagCreate = 1;

    private readonly ConcurrentDictionary<KernelObject, int> _slots = new(ReferenceEqualityComparer.Instance);
    private readonly ConcurrentDictionary<int, KernelObject> _owners = new(); // the same, by slot: for reports
    private readonly RankedLock _lock = new(LockRank.LocalStorage);
    private readonly ValuePool _values;
    private readonly ElemCache _cache;

    /// <summary>Makes a storage map.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public LocalStorageMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.TaskStorage, BpfMapType.CgrpStorage, BpfMapType.SkStorage,
            BpfMapType.InodeStorage))
    {
        _values = CreatePool(1, 0, PoolKind.Chunked);
        _cache = new(this, _values);
    }

    /// <summary>Owners that have a value.</summary>
    public int Count => _slots.Count;

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => _cache.TakeCensus(Count);

    /// <summary>Finds an owner's value, or makes one (<c>bpf_task_storage_get</c> and its siblings).</summary>
    /// <param name="owner">The owner; the caller keeps it alive.</param>
    /// <param name="initial">Plain bytes of a new value; empty for zeros.</param>
    /// <param name="create">Whether to make one. Never for an owner that is being freed.</param>
    /// <returns>The value's address, or 0.</returns>
    public ulong Get(KernelObject owner, ReadOnlySpan<byte> initial = default, bool create = false)
    {
        ArgumentNullException.ThrowIfNull(owner);
        if (_slots.TryGetValue(owner, out var slot))
        {
            return _values.ValueOf(slot);
        }

        if (!create)
        {
            return 0;
        }

        var err = Update(owner, initial, MapUpdateFlags.NoExist);
        return err is Errno.None or Errno.EEXIST && _slots.TryGetValue(owner, out slot) ? _values.ValueOf(slot) : 0;
    }

    /// <summary>Creates or replaces an owner's value.</summary>
    /// <param name="owner">The owner; the caller keeps it alive.</param>
    /// <param name="value">The plain bytes; empty for zeros.</param>
    /// <param name="flags">Create, replace, lock.</param>
    /// <exception cref="ArgumentException">Such an object owns no values of this map, or is of another kernel; or the
    /// value is too short.</exception>
    public Errno Update(KernelObject owner, ReadOnlySpan<byte> value, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        ArgumentNullException.ThrowIfNull(owner);
        CheckOwner(owner, value.Length);
        if ((flags & ~MapUpdateFlags.Lock) > MapUpdateFlags.Exist
            || ((flags & MapUpdateFlags.Lock) != 0 && Layout.LockOffset < 0))
        {
            return Errno.EINVAL;
        }

        using var dying = new DyingValues(this, DeathPath.StorageDelete);
        using (_lock.Enter())
        {
            ObjectDisposedException.ThrowIf(IsEnding, this);
            var exists = _slots.TryGetValue(owner, out var old);
            if (CheckExistence(exists, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (exists && (flags & MapUpdateFlags.Lock) != 0)
            {
                CopyIn(_values.ValueOf(old), value, MapUpdateFlags.Lock);
                return Errno.None;
            }

            if (owner.IsFreeing || Fails(FaultPoint.AllocElem))
            {
                return Errno.ENOMEM;
            }

            var slot = NewValue(value);
            _owners[slot] = owner;
            _slots[owner] = slot;
            if (exists)
            {
                dying.Recycle(_values, old);
                Leave(old);
            }
            else
            {
                owner.Freeing += OnOwnerFreeing;
            }

            return Errno.None;
        }
    }

    /// <summary>Deletes an owner's value.</summary>
    public Errno Delete(KernelObject owner)
    {
        ArgumentNullException.ThrowIfNull(owner);
        return Remove(owner, DeathPath.StorageDelete) ? Errno.None : Errno.ENOENT;
    }

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        if (!_owners.TryGetValue(slot, out var owner) || !_slots.TryGetValue(owner, out var at) || at != slot)
        {
            return false;
        }

        BinaryPrimitives.WriteInt32LittleEndian(key, NumberOf(owner));
        return true;
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        OwnerOf(key) is { } owner ? Get(owner) : 0;

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            OwnerOf(key) is null ? WhyNobody(key) : base.ReadValue(key, value, flags, caller);

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            OwnerOf(key) is { } owner ? Update(owner, value, flags) : WhyNobody(key);

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) =>
        OwnerOf(key) is { } owner ? Delete(owner) : WhyNobody(key);

    /// <inheritdoc/>
    private protected override void OnFreeing()
    {
        var failures = default(Failures);
        foreach (var owner in _slots.Keys)
        {
            try
            {
                Remove(owner, DeathPath.MapFree);
            }
            catch (Exception e)
            {
                failures.Add(Core, e);
            }
        }

        failures.ThrowIfAny();
    }

    /// <summary>Owners with the addresses of their values, as they come and go.</summary>
    private protected IEnumerable<(KernelObject Owner, ulong Value)> LiveValues() =>
        _slots.Select(s => (s.Key, _values.ValueOf(s.Value)));

    /// <summary>Whether an object is of the kind that owns values of this map.</summary>
    private protected virtual bool CanOwn(KernelObject owner) => Type switch
    {
        BpfMapType.TaskStorage => owner is TaskStruct,
        BpfMapType.CgrpStorage => owner is Cgroup,
        BpfMapType.SkStorage => owner is Sock,
        _ => true,
    };

    private static int NumberOf(KernelObject owner) => owner switch
    {
        TaskStruct task => task.Pid,
        Cgroup cgroup => (int)cgroup.Id,
        _ => (int)owner.Address,
    };

    private void CheckOwner(KernelObject owner, int valueLength)
    {
        if (!CanOwn(owner) || owner.Core != Core)
        {
            throw new ArgumentException($"{owner} cannot own a value of {this}", nameof(owner));
        }

        if (valueLength != 0 && valueLength < ValueSize)
        {
            throw new ArgumentException(
                $"{this} has values of {ValueSize} bytes, not {valueLength}", nameof(valueLength));
        }
    }

    private KernelObject? OwnerOf(ReadOnlySpan<byte> key)
    {
        var number = BinaryPrimitives.ReadInt32LittleEndian(key);
        return Type switch
        {
            BpfMapType.TaskStorage => Core.Tasks.Find(number),
            BpfMapType.CgrpStorage => Core.Cgroups.Find((ulong)number),
            _ => Core.Heap.FindObjects((uint)number).Find(CanOwn),
        };
    }

    // A cgroup that is offline has a directory for those who opened it; any other number is no descriptor.
    private Errno WhyNobody(ReadOnlySpan<byte> key) =>
        Type == BpfMapType.CgrpStorage && Core.Cgroups.HasMade(BinaryPrimitives.ReadUInt32LittleEndian(key))
            ? Errno.ENOENT
            : Errno.EBADF;

    private int NewValue(ReadOnlySpan<byte> value)
    {
        var slot = _cache.Take(Core.CurrentCpu);
        var at = _values.ValueOf(slot);
        if (value.IsEmpty)
        {
            ZeroPlain(at);
        }
        else
        {
            CopyIn(at, value);
        }

        return slot;
    }

    private void OnOwnerFreeing(KernelObject owner) => Remove(owner, DeathPath.OwnerExit);

    // Owner exit and map free may meet here; whoever takes the entry out ends the value.
    private bool Remove(KernelObject owner, DeathPath path)
    {
        using var dying = new DyingValues(this, path);
        using (_lock.Enter())
        {
            if (!_slots.TryRemove(owner, out var slot))
            {
                return false;
            }

            owner.Freeing -= OnOwnerFreeing;
            dying.Recycle(_values, slot);
            Leave(slot);
            return true;
        }
    }

    private void Leave(int slot)
    {
        _owners.TryRemove(slot, out _);
        _cache.Leave(slot);
    }
}
