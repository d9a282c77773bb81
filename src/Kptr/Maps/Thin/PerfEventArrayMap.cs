using System.Collections.Concurrent;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_PERF_EVENT_ARRAY</c>: a channel from programs to user space, one per CPU.</summary>
/// <remarks>
/// There are no perf events to put in: every index is open from the start. A CPU's buffer holds
/// <see cref="BufferBytes"/>; what finds it full is lost and counted, and the program is told (<c>-ENOSPC</c>).
/// Counters (<c>bpf_perf_event_read</c>) are not modelled. Kernel: kernel/events/ring_buffer.c, 6.12.
/// </remarks>
public sealed class PerfEventArrayMap : ObjectArray
{
    private const int PageBytes = 4096;
    private readonly CpuBuffer[] _buffers;
    private readonly RecordChannel _channel;
    private int _bufferBytes = 64 * PageBytes;

    /// <summary>Makes the array.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public PerfEventArrayMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.PerfEventArray))
    {
        _buffers = [.. Enumerable.Range(0, core.CpuCount).Select(_ => new CpuBuffer())];
        _channel = new(this, TryTake);
    }

    /// <summary>
    /// How much each CPU's buffer holds: a power of two of pages of 4096 bytes, 64 pages unless set; records that are
    /// in it stay.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is no power of two, or less than a page.</exception>
    public int BufferBytes
    {
        get => Volatile.Read(ref _bufferBytes);
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, PageBytes);
            if (!int.IsPow2(value))
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, "a power of two is wanted");
            }

            Volatile.Write(ref _bufferBytes, value);
        }
    }

    /// <summary>Records of a CPU that found its buffer full, since the map was made.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such CPU.</exception>
    public long LostCount(int cpu)
    {
        CheckCpu(cpu);
        return Interlocked.Read(ref _buffers[cpu].LostCount);
    }

    /// <summary>Takes the oldest record of a CPU.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such CPU.</exception>
    /// <exception cref="InvalidOperationException">The buffers have a consumer.</exception>
    public bool TryRead(int cpu, out byte[] record)
    {
        CheckCpu(cpu);
        _channel.RequireFree();
        var isTaken = TryTake(cpu, out var taken);
        record = isTaken ? taken.Bytes : [];
        return isTaken;
    }

    /// <summary>
    /// Every record of all CPUs, now and as they come; those of one CPU in their order. Every record wakes who waits.
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

    /// <inheritdoc cref="RingBufMap.Consume"/>
    public IDisposable Consume<T>(Action<RingRecord<T>> received)
        where T : unmanaged =>
        _channel.Consume(received);

    /// <summary>Adds a record (<c>bpf_perf_event_output</c>).</summary>
    internal Errno Output(uint index, ReadOnlySpan<byte> record)
    {
        if (index >= MaxEntries || index >= _buffers.Length)
        {
            return Errno.E2BIG;
        }

        var buffer = _buffers[index];
        var taken = TakenBytes(record.Length);
        if (Interlocked.Add(ref buffer.UsedBytes, taken) > BufferBytes)
        {
            Interlocked.Add(ref buffer.UsedBytes, -taken);
            Interlocked.Increment(ref buffer.LostCount);
            Interlocked.Increment(ref buffer.Lost);
            return Errno.ENOSPC;
        }

        buffer.Records.Enqueue(new(record.ToArray(), (int)index, Interlocked.Exchange(ref buffer.Lost, 0)));
        _channel.Wake();
        return Errno.None;
    }

    /// <inheritdoc/>
    protected override void ReleaseUserRef()
    {
        base.ReleaseUserRef();
        _channel.End();
    }

    /// <inheritdoc/>
    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        Errno.ENOTSUPP;

    // A header of 8 bytes, the length of 4 and the data, the whole rounded up to 8.
    private static long TakenBytes(int length) => 8 + ((4L + length + 7) & ~7L);

    private bool TryTake(out RawRecord record)
    {
        for (var cpu = 0; cpu < _buffers.Length; cpu++)
        {
            if (TryTake(cpu, out record))
            {
                return true;
            }
        }

        record = default;
        return false;
    }

    private bool TryTake(int cpu, out RawRecord record)
    {
        if (!_buffers[cpu].Records.TryDequeue(out record))
        {
            return false;
        }

        Interlocked.Add(ref _buffers[cpu].UsedBytes, -TakenBytes(record.Bytes.Length));
        return true;
    }

    private sealed class CpuBuffer
    {
        internal readonly ConcurrentQueue<RawRecord> Records = new();
        internal long UsedBytes;
        internal long LostCount;
        internal long Lost; // since the last record that went in
    }
}
