using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// <c>BPF_MAP_TYPE_DEVMAP</c>, <c>DEVMAP_HASH</c>, <c>CPUMAP</c> and <c>XSKMAP</c>: where <c>bpf_redirect_map</c>
/// sends packets.
/// </summary>
/// <remarks>
/// User space puts in devices by index and CPUs by the size of their queue; programs read what was put in. The model's
/// one device is the loopback, index 1; it has no AF_XDP sockets, so a map of them stays empty. Programs of entries
/// (a file descriptor behind the device or CPU) are refused, as one that is no XDP program. Kernel:
/// <c>kernel/bpf/devmap.c</c>, <c>cpumap.c</c>, <c>net/xdp/xskmap.c</c> (6.12).
/// </remarks>
internal sealed class RedirectMap : BpfMap
{
    private const uint CpuQueueMax = 16384;
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly SortedDictionary<uint, int> _slots = [];
    private readonly ValuePool _values;
    private readonly ElemCache _cache;

    /// <summary>Makes the map.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public RedirectMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(
            core, spec, BpfMapType.Devmap, BpfMapType.DevmapHash, BpfMapType.Cpumap, BpfMapType.Xskmap))
    {
        _values = CreatePool(1, 0, PoolKind.Chunked);
        _cache = new(this, _values);
    }

    /// <summary>Whether packets can be sent to an entry.</summary>
    internal bool Has(uint index)
    {
        using (_lock.Enter())
        {
            return _slots.ContainsKey(index);
        }
    }

    private bool IsHash => Type == BpfMapType.DevmapHash;

    /// <inheritdoc/>
    public override MapCensus TakeCensus()
    {
        using (_lock.Enter())
        {
            return _cache.TakeCensus(_slots.Count);
        }
    }

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        using (_lock.Enter())
        {
            foreach (var (index, at) in _slots)
            {
                if (at == slot)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(key, index);
                    return true;
                }
            }

            return false;
        }
    }

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using (_lock.Enter())
        {
            return _slots.TryGetValue(ArrayKeys.IndexOf(key), out var slot) ? _values.ValueOf(slot) : 0;
        }
    }

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            Type == BpfMapType.Xskmap ? Errno.EOPNOTSUPP : base.ReadValue(key, value, flags, caller);

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist)
        {
            return Errno.EINVAL;
        }

        var index = ArrayKeys.IndexOf(key);
        var what = BinaryPrimitives.ReadUInt32LittleEndian(value);
        var prog = value.Length > sizeof(uint) ? BinaryPrimitives.ReadInt32LittleEndian(value[sizeof(uint)..]) : -1;
        var err = IsHash ? CheckDevice(what, prog)
            : index >= MaxEntries ? Errno.E2BIG
            : flags == MapUpdateFlags.NoExist ? Errno.EEXIST
            : Type == BpfMapType.Cpumap ? CheckCpu(index, what, prog)
            : Type == BpfMapType.Xskmap ? Errno.EBADF
            : what == 0 && prog <= 0 ? Errno.None : CheckDevice(what, prog);
        return err != Errno.None ? err
            : what == 0 ? DeleteValue(key, caller)
            : Put(index, what, flags);
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var index = ArrayKeys.IndexOf(key);
        if (!IsHash && index >= MaxEntries)
        {
            return Errno.EINVAL;
        }

        using (_lock.Enter())
        {
            if (!_slots.Remove(index, out var slot))
            {
                return IsHash ? Errno.ENOENT : Errno.None;
            }

            _cache.Leave(slot);
            return Errno.None;
        }
    }

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        if (!IsHash)
        {
            return ArrayKeys.Next(MaxEntries, key, nextKey);
        }

        using (_lock.Enter())
        {
            // A key that is gone starts over, as in every hash.
            var from = key.IsEmpty || !_slots.ContainsKey(ArrayKeys.IndexOf(key)) ? -1L : ArrayKeys.IndexOf(key);
            foreach (var index in _slots.Keys)
            {
                if (index > from)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(nextKey, index);
                    return Errno.None;
                }
            }

            return Errno.ENOENT;
        }
    }

    private static Errno CheckDevice(uint ifindex, int prog) =>
        ifindex == Loopback.Index && prog <= 0 ? Errno.None : Errno.EINVAL;

    private Errno CheckCpu(uint cpu, uint queueSize, int prog) =>
        queueSize > CpuQueueMax ? Errno.EOVERFLOW
        : cpu > int.MaxValue || !Core.PossibleCpus.Contains((int)cpu) ? Errno.ENODEV
        : queueSize != 0 && prog > 0 ? Errno.ENOMEM : Errno.None;

    private Errno Put(uint index, uint what, MapUpdateFlags flags)
    {
        // The element comes before the lock: making one may need memory.
        var slot = _cache.Take(Core.CurrentCpu);
        Span<byte> bytes = stackalloc byte[ValueSize];
        bytes.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, what);
        CopyIn(_values.ValueOf(slot), bytes);
        using (_lock.Enter())
        {
            var exists = _slots.TryGetValue(index, out var old);
            var err = exists && flags == MapUpdateFlags.NoExist ? Errno.EEXIST
                : !exists && _slots.Count >= MaxEntries ? Errno.E2BIG : Errno.None;
            if (err != Errno.None)
            {
                _cache.PutBack(slot, Core.CurrentCpu);
                return err;
            }

            _slots[index] = slot;
            if (exists)
            {
                _cache.Leave(old);
            }

            return Errno.None;
        }
    }
}
