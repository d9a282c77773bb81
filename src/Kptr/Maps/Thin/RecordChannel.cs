using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Kptr.Maps;

/// <summary>What came out of a buffer.</summary>
internal readonly record struct RawRecord(byte[] Bytes, int Cpu, long LostBefore);

/// <summary>The one consumer of a buffer of records, and how producers wake it.</summary>
/// <remarks>
/// A wake-up is one token, kept until the consumer waits for it: it takes all there is before it waits, so none is lost
/// and nobody polls. Nothing is queued beside the buffer itself.
/// </remarks>
internal sealed class RecordChannel(BpfMap map, RecordChannel.TakeRecord take)
{
    private IConsumer? _consumer;
    private volatile bool _isEnded;

    internal delegate bool TakeRecord(out RawRecord record);

    private interface IConsumer
    {
        void Wake();

        void End();
    }

    /// <summary>A producer says that there is something to take. Calls nobody out.</summary>
    internal void Wake() => Volatile.Read(ref _consumer)?.Wake();

    /// <summary>User space has let go of the map, or it is freed: who waits ends.</summary>
    internal void End()
    {
        _isEnded = true;
        Volatile.Read(ref _consumer)?.End();
    }

    /// <summary>Nobody consumes the buffer but who asks now, for one record.</summary>
    /// <exception cref="InvalidOperationException">Somebody does.</exception>
    internal void RequireFree()
    {
        if (Volatile.Read(ref _consumer) is not null)
        {
            throw Taken();
        }
    }

    internal async IAsyncEnumerable<RingRecord<T>> ReadAllAsync<T>(
        [EnumeratorCancellation] CancellationToken cancellation)
        where T : unmanaged
    {
        var consumer = new Waiting();
        Claim(consumer);
        try
        {
            do
            {
                cancellation.ThrowIfCancellationRequested();
                while (take(out var record))
                {
                    yield return Typed<T>(record);
                    cancellation.ThrowIfCancellationRequested();
                }
            }
            while (await consumer.WaitAsync(cancellation).ConfigureAwait(false));
        }
        finally
        {
            Volatile.Write(ref _consumer, null);
        }
    }

    internal IDisposable Consume<T>(Action<RingRecord<T>> received)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(received);
        var consumer = new Calling(this, record => received(Typed<T>(record)));
        Claim(consumer);
        consumer.Wake();
        return consumer;
    }

    private void Claim(IConsumer consumer)
    {
        ObjectDisposedException.ThrowIf(_isEnded, map);
        if (Interlocked.CompareExchange(ref _consumer, consumer, null) is not null)
        {
            throw Taken();
        }

        if (_isEnded)
        {
            consumer.End(); // it ended meanwhile, and perhaps saw no consumer
        }
    }

    private InvalidOperationException Taken() =>
        new($"\"{map.Name}\" has a consumer already: of two, each would miss what the other took");

    private RingRecord<T> Typed<T>(RawRecord record)
        where T : unmanaged =>
        record.Bytes.Length >= Unsafe.SizeOf<T>()
            ? new(MemoryMarshal.Read<T>(record.Bytes), record.Bytes, record.Cpu, record.LostBefore)
            : throw new InvalidDataException(
                $"a record of {record.Bytes.Length} bytes in \"{map.Name}\" is no {typeof(T).Name}, which has "
                + $"{Unsafe.SizeOf<T>()}");

    /// <summary>A consumer that waits; what it waits for is resumed on a thread of the pool.</summary>
    private sealed class Waiting : IConsumer
    {
        private readonly Channel<bool> _tokens = Channel.CreateBounded<bool>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        public void Wake() => _tokens.Writer.TryWrite(true);

        public void End() => _tokens.Writer.TryComplete();

        internal async ValueTask<bool> WaitAsync(CancellationToken cancellation) =>
            await _tokens.Reader.WaitToReadAsync(cancellation).ConfigureAwait(false) && _tokens.Reader.TryRead(out _);
    }

    /// <summary>A consumer that is called, as work of the kernel.</summary>
    private sealed class Calling(RecordChannel channel, Action<RawRecord> received) : IConsumer, IDisposable
    {
        private volatile bool _isDisposed;
        private int _isQueued;

        public void Wake()
        {
            if (!_isDisposed && Interlocked.Exchange(ref _isQueued, 1) == 0)
            {
                channel.Map.Core.Work.Enqueue(static c => ((Calling)c).Drain(), this, "ring_buffer__consume");
            }
        }

        public void End() => Dispose();

        public void Dispose()
        {
            _isDisposed = true;
            Interlocked.CompareExchange(ref channel._consumer, null, this);
        }

        private void Drain()
        {
            Interlocked.Exchange(ref _isQueued, 0);
            while (!_isDisposed && channel.Take(out var record))
            {
                channel.Map.Core.Deferred.Guard((received, record), static s => s.received(s.record));
            }
        }
    }

    private BpfMap Map => map;

    private bool Take(out RawRecord record) => take(out record);
}
