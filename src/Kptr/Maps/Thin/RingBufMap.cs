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
/// that only such records use. User space reads here by calls, not by mapping. With
/// <see cref="MapFlags.RbOverwrite"/> (7.2) new records take the place of the oldest ones that are submitted, read or
/// not. Kernel: <c>ringbuf.c</c> (6.12, 7.2).
/// </remarks>
public sealed unsafe class RingBufMap : KeylessMap
{
    private const uint BusyBit = 1u << 31;
    private const uint DiscardBit = 1u << 30;
    private const int HeaderBytes = 8;

    // A header says in which page of the buffer its record is, behind those of the buffer itself; who reserves memory
    // where there was a record before finds it.
    private const ulong PagesBefore = 3;
    private const int PageShift = 12;
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly ulong _data;
    private readonly ulong _mask;
    private readonly RecordChannel _channel;
    private bool _isGone;
    private int _isHeadAwaited; // the consumer saw that the oldest record is not submitted yet
    private readonly bool _overwrites;
    private ulong _producer;
    private ulong _consumer;
    private ulong _pending;     // the oldest record that may not be submitted yet; kept where records are overwritten
    private ulong _overwritten; // behind the last record that was overwritten

    /// <summary>Makes a ring buffer.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public RingBufMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Ringbuf))
    {
        _mask = Spec.MaxEntries - 1;
        _overwrites = (Spec.Flags & MapFlags.RbOverwrite) != 0;
        _channel = new(this, TryTake);
        _data = core.Heap.AllocateBlock($"ring buffer {Name}", 2L * Spec.MaxEntries, this);
    }

    /// <summary>Bytes that user space has not read yet, headers included.</summary>
    public ulong AvailableBytes => Volatile.Read(ref _producer) - Oldest;

    private ulong Oldest => Math.Max(Volatile.Read(ref _consumer), Volatile.Read(ref _overwritten));

    /// <summary>Takes the oldest record; discarded ones are skipped.</summary>
    /// <returns>False when there is none or the oldest is not submitted yet.</returns>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    /// <exception cref="InvalidOperationException">The buffer has a consumer.</exception>
    public bool TryRead(out byte[] record)
    {
        _channel.RequireFree();
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isGone), this);
        var isTaken = TryTake(out var taken);
        record = isTaken ? taken.Bytes : [];
        return isTaken;
    }

    /// <summary>
    /// Every record, now and as they are submitted. Who waits is woken as in Linux: by the record that it is waiting
    /// for, unless that says <c>BPF_RB_NO_WAKEUP</c>, and by any with <c>BPF_RB_FORCE_WAKEUP</c>.
    /// </summary>
    /// <param name="cancellation">Ends the wait with <see cref="OperationCanceledException"/>.</param>
    /// <typeparam name="T">What the records begin with; <see cref="RingRecord{T}.Bytes"/> has all of each.</typeparam>
    /// <remarks>
    /// Ends when user space lets go of the map. There is one consumer, from the first <c>MoveNextAsync</c> to the end:
    /// another one, and <c>TryRead</c> meanwhile, is an <see cref="InvalidOperationException"/>. A record that is
    /// too short for the type is an <see cref="InvalidDataException"/>; it is taken out.
    /// </remarks>
    public IAsyncEnumerable<RingRecord<T>> ReadAllAsync<T>(CancellationToken cancellation = default)
        where T : unmanaged =>
        _channel.ReadAllAsync<T>(cancellation);

    /// <summary>Calls a method for every record, as libbpf's callbacks: as work of the kernel.</summary>
    /// <param name="received">
    /// Called one at a time, on the background thread or in <see cref="KernelCore.Quiesce"/>; not on the thread of the
    /// program. What it throws, and that a record is too short for the type, the next Quiesce throws.
    /// </param>
    /// <typeparam name="T">What the records begin with.</typeparam>
    /// <returns>The registration: dispose it to end it. It ends by itself when user space lets go of the map.</returns>
    /// <exception cref="InvalidOperationException">There is a consumer already.</exception>
    /// <exception cref="ObjectDisposedException">User space has let go of the map.</exception>
    public IDisposable Consume<T>(Action<RingRecord<T>> received)
        where T : unmanaged =>
        _channel.Consume(received);

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
            var end = _producer + TotalBytes(length);
            if (_overwrites ? !TryOverwrite(end) : end - _consumer > _mask)
            {
                return 0;
            }

            var at = At(_producer);
            var page = PagesBefore + ((_producer & _mask) >> PageShift);
            Volatile.Write(ref *(ulong*)at, (page << 32) | (uint)length | BusyBit);
            Volatile.Write(ref _producer, end);
            Mirror(at, length, fromStart: true);
            return at + HeaderBytes;
        }
    }

    /// <summary>
    /// Copies what of a record is behind the buffer's end from the buffer's start, or there: in Linux it is one memory.
    /// </summary>
    private void Mirror(ulong at, ulong length, bool fromStart)
    {
        var end = _data + _mask + 1;
        var behind = (long)(at + TotalBytes(length) - end);
        if (behind > 0)
        {
            var (from, to) = fromStart ? (_data, end) : (end, _data);
            Buffer.MemoryCopy((void*)from, (void*)to, behind, behind);
        }
    }

    /// <summary>Drops the oldest records until the buffer holds what ends there.</summary>
    /// <returns>False where it would drop one that is not submitted yet, or one behind it.</returns>
    private bool TryOverwrite(ulong end)
    {
        while (_pending != _producer && (HeaderAt(_pending) & BusyBit) == 0)
        {
            _pending += TotalBytes(HeaderAt(_pending) & ~DiscardBit);
        }

        if (end - _pending > _mask)
        {
            return false;
        }

        while (end - _overwritten > _mask)
        {
            Volatile.Write(ref _overwritten, _overwritten + TotalBytes(HeaderAt(_overwritten) & ~DiscardBit));
        }

        return true;
    }

    private uint HeaderAt(ulong position) => Volatile.Read(ref *(uint*)At(position));

    /// <summary>Hands a reserved record to user space, or drops it.</summary>
    /// <param name="record">What <see cref="Reserve"/> gave.</param>
    /// <param name="isDiscarded">Whether to drop it.</param>
    /// <param name="flags">Whom to wake; of both flags, the one that wakes counts.</param>
    /// <remarks>
    /// Wakes a consumer that has taken all records before this one. Kernel: <c>bpf_ringbuf_commit</c>. A consumer that
    /// found this record unfinished is woken whatever the flags say: epoll would show it the buffer again and again.
    /// </remarks>
    internal void Commit(ulong record, bool isDiscarded, RingWakeup flags = RingWakeup.Default)
    {
        var at = record - HeaderBytes;
        ref var header = ref *(uint*)at;
        Mirror(at, header & ~BusyBit, fromStart: false);
        Interlocked.Exchange(ref header, (header & ~BusyBit) | (isDiscarded ? DiscardBit : 0));
        var isNext = (Volatile.Read(ref _consumer) & _mask) == at - _data;
        if ((flags & RingWakeup.Force) != 0
            || (isNext && ((flags & RingWakeup.No) == 0 || Volatile.Read(ref _isHeadAwaited) != 0)))
        {
            _channel.Wake();
        }
    }

    /// <summary>Copies a record in (<c>bpf_ringbuf_output</c>).</summary>
    internal Errno Output(ReadOnlySpan<byte> record, RingWakeup flags = RingWakeup.Default)
    {
        var at = Reserve((ulong)record.Length);
        if (at == 0)
        {
            return Errno.EAGAIN;
        }

        record.CopyTo(new Span<byte>((void*)at, record.Length));
        Commit(at, isDiscarded: false, flags);
        return Errno.None;
    }

    /// <summary><c>bpf_ringbuf_query</c>.</summary>
    /// <param name="what">
    /// 0 available data, 1 ring size, 2 consumer, 3 producer position, 4 behind what was overwritten; else 0 comes
    /// back.
    /// </param>
    internal ulong Query(ulong what) => what switch
    {
        0 => AvailableBytes,
        1 => _mask + 1,
        2 => Volatile.Read(ref _consumer),
        3 => Volatile.Read(ref _producer),
        4 when Core.Spec.Profile.RingsOverwrite => Volatile.Read(ref _overwritten),
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
    protected override void ReleaseUserRef()
    {
        base.ReleaseUserRef();
        _channel.End();
    }

    /// <inheritdoc/>
    protected override void OnFree()
    {
        using (_lock.Enter())
        {
            Volatile.Write(ref _isGone, true);
        }

        Core.Heap.FreeBlock(_data);
    }

    private bool TryTake(out RawRecord record)
    {
        using (_lock.Enter())
        {
            Volatile.Write(ref _consumer, Oldest);
            while (!_isGone && _consumer != Volatile.Read(ref _producer))
            {
                var at = At(_consumer);
                if (!IsCommitted(at, out var header))
                {
                    break;
                }

                var length = header & ~DiscardBit;
                var isKept = (header & DiscardBit) == 0;
                record = new(
                    isKept ? new ReadOnlySpan<byte>((void*)(at + HeaderBytes), (int)length).ToArray() : [], -1, 0);

                // Written before the next header is read: of consumer and producer, one sees the other.
                Interlocked.Exchange(ref _consumer, _consumer + TotalBytes(length));
                if (isKept)
                {
                    return true;
                }
            }

            record = default;
            return false;
        }
    }

    private bool IsCommitted(ulong at, out uint header)
    {
        header = Volatile.Read(ref *(uint*)at);
        if ((header & BusyBit) == 0)
        {
            Volatile.Write(ref _isHeadAwaited, 0);
            return true;
        }

        Interlocked.Exchange(ref _isHeadAwaited, 1);
        header = Volatile.Read(ref *(uint*)at);
        if ((header & BusyBit) != 0)
        {
            return false;
        }

        Volatile.Write(ref _isHeadAwaited, 0);
        return true;
    }

    private static ulong TotalBytes(ulong length) => (length + HeaderBytes + 7) & ~7UL;

    private ulong At(ulong position) => _data + (position & _mask);
}
