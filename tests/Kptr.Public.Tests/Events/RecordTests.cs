using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Public.Tests.Events;

/// <summary>Records of ring and perf buffers as callbacks and as async streams.</summary>
public class RecordTests
{
    private const ulong NoWakeup = 1;
    private const ulong ForceWakeup = 2;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task RingBuffer_GivesWhatIsThereAndWhatComes()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        producer.Send(1, 0);
        await using var records = Ring(producer).ReadAllAsync<ulong>().GetAsyncEnumerator();

        (await Next(records)).Value.Should().Be(1);
        var waiting = records.MoveNextAsync().AsTask();
        waiting.IsCompleted.Should().BeFalse();
        producer.Send(2, 0);

        (await waiting.WaitAsync(s_patience)).Should().BeTrue();
        (records.Current.Value, records.Current.Cpu, records.Current.Bytes.Length).Should().Be((2, -1, 8));
    }

    [Fact]
    public void RingBuffer_WithoutWakeup_LetsTheConsumerSleep()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        List<ulong> seen = [];
        using var consumer = Ring(producer).Consume<ulong>(r => seen.Add(r.Value));
        kernel.Quiesce();

        producer.Send(1, NoWakeup);
        producer.Send(2, 0); // not the one that is waited for
        kernel.Work.PendingCount.Should().Be(0);
        kernel.Quiesce();
        seen.Should().BeEmpty();
        producer.Send(3, ForceWakeup);
        kernel.Work.PendingCount.Should().Be(1);

        kernel.Quiesce();
        seen.Should().Equal(1, 2, 3);
        producer.Send(4, 0);
        kernel.Quiesce();
        seen.Should().Equal(1, 2, 3, 4);
    }

    [Fact]
    public async Task RingBuffer_WithAConsumer_RefusesASecond()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        var ring = Ring(producer);
        producer.Send(1, 0);
        var records = ring.ReadAllAsync<ulong>().GetAsyncEnumerator();
        await Next(records);

        ring.Invoking(r => r.Consume<ulong>(_ => { })).Should().Throw<InvalidOperationException>()
            .WithMessage("*\"records\" has a consumer already*");
        ring.Invoking(r => r.TryRead(out _)).Should().Throw<InvalidOperationException>();
        await using var second = ring.ReadAllAsync<ulong>().GetAsyncEnumerator();
        await second.Invoking(s => s.MoveNextAsync().AsTask()).Should().ThrowAsync<InvalidOperationException>();

        await records.DisposeAsync();
        producer.Send(2, 0);
        ring.TryRead(out var record).Should().BeTrue("the first has ended");
        record.Should().Equal(2, 0, 0, 0, 0, 0, 0, 0);
    }

    [Fact]
    public async Task RingBuffer_Cancelled_EndsAndIsFreeAgain()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        using var cancel = new CancellationTokenSource();
        var reading = ReadToEnd(Ring(producer).ReadAllAsync<ulong>(cancel.Token));

        await cancel.CancelAsync();

        await reading.Invoking(r => r.WaitAsync(s_patience)).Should().ThrowAsync<OperationCanceledException>();
        Ring(producer).TryRead(out _).Should().BeFalse();
    }

    [Theory]
    [InlineData(BpfMapType.Ringbuf, 4096u)]
    [InlineData(BpfMapType.PerfEventArray, 2u)]
    public async Task Buffer_DisposedWhileSomebodyWaits_EndsTheStream(BpfMapType type, uint entries)
    {
        using var kernel = PublicKernel.Boot();
        var producer = new Producer(kernel, type, entries);
        var reading = ReadToEnd(producer.Map is RingBufMap ring
            ? ring.ReadAllAsync<ulong>() : ((PerfEventArrayMap)producer.Map).ReadAllAsync<ulong>());
        producer.Send(1, 0);
        producer.Send(2, 0);

        producer.Dispose();

        (await reading.WaitAsync(s_patience)).Should().Equal(1, 2);
        kernel.Quiesce();
        kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void RingBuffer_WithACallback_CallsItAsWorkOfTheKernel()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        List<ulong> seen = [];
        producer.Send(1, 0);
        var consumer = Ring(producer).Consume<ulong>(r =>
        {
            seen.Add(r.Value);
            if (r.Value == 2)
            {
                throw new FormatException("two");
            }
        });
        kernel.Quiesce();
        seen.Should().Equal(1);

        producer.Send(2, 0);
        producer.Send(3, 0);
        seen.Should().Equal([1], "not on the thread of the program");
        kernel.Invoking(k => k.Quiesce()).Should().Throw<FormatException>();
        seen.Should().Equal(1, 2, 3);
        consumer.Dispose();
        producer.Send(4, 0);
        kernel.Quiesce();
        seen.Should().Equal(1, 2, 3);
    }

    [Fact]
    public async Task Record_ThatIsTooShortForTheType_IsAnError()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        producer.Send(1, 0);

        var reading = ReadToEnd(Ring(producer).ReadAllAsync<decimal>());

        await reading.Invoking(r => r.WaitAsync(s_patience)).Should().ThrowAsync<InvalidDataException>()
            .WithMessage("*8 bytes*\"records\"*Decimal*16*");
    }

    [Fact]
    public async Task PerfBuffer_ThatIsFull_LosesRecordsAndSaysHowMany()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.PerfEventArray, 2);
        var perf = (PerfEventArrayMap)producer.Map;
        perf.BufferBytes = 4096;
        var fit = 0ul;
        while (producer.Send(fit, 0) == 0)
        {
            fit++;
        }

        fit.Should().Be(4096 / 24, "a record of 8 bytes takes 24");
        producer.Send(0, 0).Should().Be(-28, "ENOSPC");
        perf.LostCount(0).Should().Be(2);
        await using var records = perf.ReadAllAsync<ulong>().GetAsyncEnumerator();
        for (var i = 0ul; i < fit; i++)
        {
            (await Next(records)).LostBefore.Should().Be(0);
        }

        producer.Send(99, 0).Should().Be(0);
        var after = await Next(records);

        (after.Value, after.LostBefore, after.Cpu).Should().Be((99, 2, 0));
        perf.Invoking(p => p.BufferBytes = 5000).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public async Task RingBuffer_WithManyProducers_LosesAndDoublesNothing()
    {
        const int each = 2_000;
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        var reading = ReadToEnd(Ring(producer).ReadAllAsync<ulong>(), 4 * each);

        // On threads of their own: as tasks they would keep the consumer from a thread of the pool for seconds.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(n => Task.Factory.StartNew(() =>
        {
            for (var i = 0; i < each; i++)
            {
                var value = (ulong)((n * each) + i);
                while (producer.Send(value, 0) != 0)
                {
                    Thread.Yield(); // full: the consumer is behind
                }
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

        var seen = await reading.WaitAsync(s_patience);
        seen.Should().HaveCount(4 * each).And.OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task RingBuffer_CancelledBeforeOrBetweenRecords_LeavesTheNextOneThere()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        using var cancel = new CancellationTokenSource();
        producer.Send(1, 0);
        producer.Send(2, 0);
        var records = Ring(producer).ReadAllAsync<ulong>(cancel.Token).GetAsyncEnumerator(CancellationToken.None);
        (await Next(records)).Value.Should().Be(1);
        await cancel.CancelAsync();

        await records.Invoking(r => r.MoveNextAsync().AsTask()).Should().ThrowAsync<OperationCanceledException>();
        var late = Ring(producer).ReadAllAsync<ulong>(cancel.Token).GetAsyncEnumerator(CancellationToken.None);
        await late.Invoking(r => r.MoveNextAsync().AsTask()).Should().ThrowAsync<OperationCanceledException>();

        Ring(producer).TryRead(out var left).Should().BeTrue();
        left[0].Should().Be(2);
    }

    [Fact]
    public void RingBuffer_ConsumerThatIsWokenTwice_IsQueuedOnce_AndEndsInTheMiddle()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        List<ulong> seen = [];
        IDisposable? consumer = null;
        consumer = Ring(producer).Consume<ulong>(r =>
        {
            seen.Add(r.Value);
            consumer!.Dispose();
        });
        producer.Send(1, ForceWakeup);
        producer.Send(2, ForceWakeup);
        kernel.Work.PendingCount.Should().Be(1);

        kernel.Quiesce();

        seen.Should().Equal([1], "it was disposed then");
        producer.Send(3, ForceWakeup);
        kernel.Work.PendingCount.Should().Be(0, "nobody is there to wake");
        Ring(producer).TryRead(out var left).Should().BeTrue();
        left[0].Should().Be(2);
        using var second = Ring(producer).Consume<ulong>(r => seen.Add(r.Value));
        consumer.Dispose();
        Ring(producer).Invoking(r => r.TryRead(out _)).Should().Throw<InvalidOperationException>(
            "one that ended takes no other's place");
        kernel.Quiesce();
        seen.Should().Equal(1, 3);
    }

    [Fact]
    public async Task RingBuffer_ThatUserSpaceLetGo_HasNoNewConsumer()
    {
        using var kernel = PublicKernel.Boot();
        var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        var ring = Ring(producer);
        ring.Invoking(r => r.Consume<ulong>(null!)).Should().Throw<ArgumentNullException>();
        List<ulong> seen = [];
        using var consumer = ring.Consume<ulong>(r => seen.Add(r.Value));
        kernel.Quiesce();
        producer.Send(1, 0);

        producer.Dispose();

        ring.Invoking(r => r.Consume<ulong>(_ => { })).Should().Throw<ObjectDisposedException>();
        await using var late = ring.ReadAllAsync<ulong>().GetAsyncEnumerator();
        await late.Invoking(r => r.MoveNextAsync().AsTask()).Should().ThrowAsync<ObjectDisposedException>();
        kernel.Quiesce();
        seen.Should().BeEmpty("it ended with the map");
        ring.Invoking(r => r.TryRead(out _)).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public async Task RingBuffer_WhoWaits_IsResumedOnAThreadOfThePool()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        await using var records = Ring(producer).ReadAllAsync<ulong>().GetAsyncEnumerator();
        var own = new OwnContext();
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(own);
        Task<bool> waiting;
        try
        {
            waiting = records.MoveNextAsync().AsTask();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        producer.Send(1, 0);

        (await waiting.WaitAsync(s_patience)).Should().BeTrue();
        own.PostCount.Should().Be(0);
    }

    private static RingBufMap Ring(Producer producer) => (RingBufMap)producer.Map;

    private static async Task<RingRecord<T>> Next<T>(IAsyncEnumerator<RingRecord<T>> records)
        where T : unmanaged
    {
        (await records.MoveNextAsync().AsTask().WaitAsync(s_patience)).Should().BeTrue();
        return records.Current;
    }

    private static async Task<List<T>> ReadToEnd<T>(IAsyncEnumerable<RingRecord<T>> records, int max = int.MaxValue)
        where T : unmanaged
    {
        List<T> seen = [];
        await foreach (var record in records)
        {
            seen.Add(record.Value);
            if (seen.Count == max)
            {
                break;
            }
        }

        return seen;
    }

    private sealed class OwnContext : SynchronizationContext
    {
        internal int PostCount;

        public override void Post(SendOrPostCallback d, object? state)
        {
            Interlocked.Increment(ref PostCount);
            base.Post(d, state);
        }
    }
}
