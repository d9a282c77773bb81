using Kptr.Maps;

namespace Kptr.Tests.Maps;

/// <summary>The locks that cost their usual thread no atomic instruction still let one in at a time, whoever takes over.</summary>
public sealed unsafe class TableLockTests
{
    private const int Rounds = 100_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void WriterBias_ThreadsLockOneBucket_NoUpdateIsLost(int threads)
    {
        var bias = new NativeArray<WriterBias>(1);
        var bucket = new NativeArray<HashBucket>(1);
        long count = 0;
        OnThreads(threads, () =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                var seq = bias.Pointer->Lock(bucket.Pointer, CallingThread.Id);
                count++;
                bucket.Pointer->Unlock(seq);
            }
        });
        count.Should().Be(threads * Rounds);
        bucket.Pointer->Seq.Should().Be((uint)(2 * threads * Rounds));
        GC.KeepAlive(bias);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public void BiasedLock_ThreadsAndAGuest_NoUpdateIsLost(int threads, bool withGuest)
    {
        var native = new NativeArray<BiasedLock>(1);
        long count = 0;
        var guests = withGuest ? 1 : 0;
        void Guest()
        {
            // Seldom, so that the owner is often inside.
            for (var i = 0; i < Rounds; i += 997)
            {
                native.Pointer->EnterAsGuest();
                count++;
                native.Pointer->Leave(asOwner: false);
            }
        }

        void User()
        {
            for (var i = 0; i < Rounds; i++)
            {
                var asOwner = native.Pointer->Enter(CallingThread.Id);
                count++;
                native.Pointer->Leave(asOwner);
            }
        }

        OnThreads([.. Enumerable.Repeat(User, threads), .. Enumerable.Repeat(Guest, guests)]);
        count.Should().Be((threads * (long)Rounds) + (guests * ((Rounds + 996) / 997)));
    }

    [Fact]
    public void FreeList_LastSlotAtAnotherCpu_IsFound()
    {
        var free = new FreeList(slotCount: 100, cpuCount: 2);
        var slots = Enumerable.Range(0, 100).Select(_ => free.Pop(0)).ToList();
        slots.Order().Should().Equal(Enumerable.Range(0, 100));
        free.Pop(1).Should().Be(-1, "none is left");

        slots.ForEach(s => free.Push(s, 0));            // 100 free: some with CPU 0, the others in the depot
        free.Count.Should().Be(100);
        Enumerable.Range(0, 100).Select(_ => free.Pop(1)).Order().Should().Equal(Enumerable.Range(0, 100));
        free.Pop(1).Should().Be(-1);
        free.Count.Should().Be(0);
    }

    [Fact]
    public void FreeList_OneCpu_GivesTheNewestFirst()
    {
        var free = new FreeList(slotCount: 1000, cpuCount: 1);
        var slots = Enumerable.Range(0, 1000).Select(_ => free.Pop(0)).ToList();
        slots.ForEach(s => free.Push(s, 0));
        Enumerable.Range(0, 1000).Select(_ => free.Pop(0)).Should().Equal(slots.AsEnumerable().Reverse());
    }

    private static void OnThreads(int count, Action body) => OnThreads([.. Enumerable.Repeat(body, count)]);

    private static void OnThreads(Action[] bodies)
    {
        using var start = new Barrier(bodies.Length);
        var threads = bodies.Select(body => new Thread(() =>
        {
            start.SignalAndWait();
            body();
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
    }
}
