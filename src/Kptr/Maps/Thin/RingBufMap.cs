using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>
/// <c>BPF_MAP_TYPE_RINGBUF</c>: records from programs to user space, reserved in place and then submitted or discarded.
/// </summary>
/// <remarks>
/// <code>
/// record:  0  length, with a busy bit (31) and a discard bit (30)
///          4  0
///          8  data, the whole rounded up to 8
/// </code>
/// Linux maps the data twice in a row so that a record may run over the end; here the second half is memory of its own
/// that only such records use. User space reads here by calls, not by mapping, and nobody is woken: there is no poll.
/// Kernel: <c>ringbuf.c</c> (6.12).
/// </remarks>
public sealed unsafe class RingBufMap : KeylessMap
{
    private const uint BusyBit = 1u << 31;
    private const uint DiscardBit = 1u << 30;
    private const int HeaderBytes = 8;
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly ulong _data;
    private readonly ulong _mask;
    private bool _isGone;
    private ulong _producer;
    private ulong _consumer;

    /// <summary>Makes a ring buffer.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public RingBufMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Ringbuf))
    {
        _mask = Spec.MaxEntries - 1;
        _data = core.Heap.AllocateBlock($"ring buffer {Name}", 2L * Spec.MaxEntries, this);
    }

    /// <summary>Bytes that user space has not read yet, headers included.</summary>
    public ulong AvailableBytes => Volatile.Read(ref _producer) - Volatile.Read(ref _consumer);

    /// <summary>Takes the oldest record; discarded ones are skipped.</summary>
    /// <returns>False when there is none or the oldest is not submitted yet.</returns>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public bool TryRead(out byte[] record)
    {
        using (_lock.Enter())
        {
            ObjectDisposedException.ThrowIf(_isGone, this);
            while (_consumer != _producer)
            {
                var at = At(_consumer);
                var header = Volatile.Read(ref *(uint*)at);
                if ((header & BusyBit) != 0)
                {
                    break;
                }

                var length = header & ~DiscardBit;
                _consumer += TotalBytes(length);
                if ((header & DiscardBit) == 0)
                {
                    record = new ReadOnlySpan<byte>((void*)(at + HeaderBytes), (int)length).ToArray();
                    return true;
                }
            }

            record = [];
            return false;
        }
    }

    /// <summary>Reserves a record (<c>bpf_ringbuf_reserve</c>).</summary>
    /// <returns>Address of its data, or 0 when it does not fit.</returns>
    internal ulong Reserve(ulong length)
    {
        if (length >= DiscardBit || TotalBytes(length) > _mask + 1)
        {
            return 0;
        }

        using (_lock.Enter())
        {
            if (_producer + TotalBytes(length) - _consumer > _mask)
            {
                return 0;
            }

            var at = At(_producer);
            Volatile.Write(ref *(ulong*)at, (uint)length | BusyBit);
            Volatile.Write(ref _producer, _producer + TotalBytes(length));
            return at + HeaderBytes;
        }
    }

    /// <summary>Hands a reserved record to user space, or drops it.</summary>
    /// <param name="record">What <see cref="Reserve"/> gave.</param>
    /// <param name="isDiscarded">Whether to drop it.</param>
    internal void Commit(ulong record, bool isDiscarded)
    {
        ref var header = ref *(uint*)(record - HeaderBytes);
        Volatile.Write(ref header, (header & ~BusyBit) | (isDiscarded ? DiscardBit : 0));
    }

    /// <summary>Copies a record in (<c>bpf_ringbuf_output</c>).</summary>
    internal Errno Output(ReadOnlySpan<byte> record)
    {
        var at = Reserve((ulong)record.Length);
        if (at == 0)
        {
            return Errno.EAGAIN;
        }

        record.CopyTo(new Span<byte>((void*)at, record.Length));
        Commit(at, isDiscarded: false);
        return Errno.None;
    }

    /// <summary><c>bpf_ringbuf_query</c>.</summary>
    /// <param name="what">0 available data, 1 ring size, 2 consumer and 3 producer position; else 0 comes back.</param>
    internal ulong Query(ulong what) => what switch
    {
        0 => AvailableBytes,
        1 => _mask + 1,
        2 => Volatile.Read(ref _consumer),
        3 => Volatile.Read(ref _producer),
        _ => 0,
    };

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

    /// <inheritdoc/>
    protected override void OnFree()
    {
        using (_lock.Enter())
        {
            _isGone = true;
        }

        Core.Heap.FreeBlock(_data);
    }

    private static ulong TotalBytes(ulong length) => (length + HeaderBytes + 7) & ~7UL;

    private ulong At(ulong position) => _data + (position & _mask);
}
