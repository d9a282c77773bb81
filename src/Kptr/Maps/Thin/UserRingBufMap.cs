using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_USER_RINGBUF</c>: records from user space to programs.</summary>
/// <remarks>
/// User space posts whole records, so the ring cannot be corrupted as a mapped one can; the capacity counts as in
/// Linux. One program at a time drains (<c>-EBUSY</c> otherwise). Kernel: <c>ringbuf.c</c> (6.12).
/// </remarks>
public sealed class UserRingBufMap : KeylessMap
{
    private const int HeaderBytes = 8;
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly Queue<byte[]> _records = new();
    private long _usedBytes;
    private int _isBusy;

    /// <summary>Makes a user ring buffer.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public UserRingBufMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.UserRingbuf))
    {
    }

    /// <summary>Adds a record.</summary>
    /// <returns><see cref="Errno.ENOSPC"/> when it does not fit now, <see cref="Errno.E2BIG"/>
    /// when it never will.</returns>
    public Errno Post(ReadOnlySpan<byte> record)
    {
        var total = (record.Length + HeaderBytes + 7) & ~7L;
        if (total > MaxEntries)
        {
            return Errno.E2BIG;
        }

        using (_lock.Enter())
        {
            if (_usedBytes + total > MaxEntries)
            {
                return Errno.ENOSPC;
            }

            _usedBytes += total;
            _records.Enqueue(record.ToArray());
            return Errno.None;
        }
    }

    /// <summary>Claims the ring for one drain; false when another program drains it.</summary>
    internal bool TryBeginDrain() => Interlocked.CompareExchange(ref _isBusy, 1, 0) == 0;

    internal void EndDrain() => Volatile.Write(ref _isBusy, 0);

    /// <summary>Takes the oldest record.</summary>
    internal bool TryTake(out byte[] record)
    {
        using (_lock.Enter())
        {
            if (!_records.TryDequeue(out record!))
            {
                return false;
            }

            _usedBytes -= (record.Length + HeaderBytes + 7) & ~7L;
            return true;
        }
    }

    /// <inheritdoc/>
    private protected override Errno UserRead(ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags) =>
        Errno.ENOTSUPP;

    /// <inheritdoc/>
    private protected override Errno UserUpdate(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags) =>
        Errno.ENOTSUPP;

    /// <inheritdoc/>
    private protected override Errno UserDelete(ReadOnlySpan<byte> key) => Errno.ENOTSUPP;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.ENOTSUPP;
}
