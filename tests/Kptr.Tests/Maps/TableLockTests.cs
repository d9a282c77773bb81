using Kptr.Diagnostics;
using Kptr.Maps;

namespace Kptr.Tests.Maps;

/// <summary>The one lock of the tables, its readers, and the free slots behind it.</summary>
public sealed unsafe class TableLockTests
{
    private const int Rounds = 100_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void SeqLock_ThreadsEnterIt_NoUpdateIsLost(int threads)
    {
        var native = new NativeArray<SeqLock>(1);
        long count = 0;
        OnThreads(threads, () =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                native.Pointer->Enter(LockRank.Bucket);
                count++;
                native.Pointer->Exit(LockRank.Bucket);
            }
        });
        count.Should().Be(threads * Rounds);
        native.Pointer->Read().Should().Be((uint)(2 * threads * Rounds));
        GC.KeepAlive(native);
    }

    [Fact]
    public void SeqLock_ReaderBesideWriters_TakesNoMixForWhole()
    {
        var native = new NativeArray<SeqLock>(1);
        var words = new long[3];
        var writersLeft = 2;
        long mixed = 0, whole = 0;
        void Writer()
        {
            for (var i = 0; i < Rounds; i++)
            {
                native.Pointer->Enter(LockRank.Bucket);
                (words[0], words[1], words[2]) = (i, ~i, i * 3L);
                native.Pointer->Exit(LockRank.Bucket);
            }

            Interlocked.Decrement(ref writersLeft);
        }

        void Reader()
        {
            while (Volatile.Read(ref writersLeft) > 0 || whole == 0)
            {
                var seq = native.Pointer->Read();
                var (a, b, c) = (words[0], words[1], words[2]);
                if (native.Pointer->IsStill(seq))
                {
                    whole++;
                    mixed += b == ~a && c == a * 3 ? 0 : 1;
                }
            }
        }

        (words[0], words[1], words[2]) = (0, ~0, 0);
        OnThreads([Writer, Writer, Reader]);
        whole.Should().BePositive();
        mixed.Should().Be(0);
        GC.KeepAlive(native);
    }

    [Fact]
    public void PcpuFreelist_LastSlotAtAnotherCpu_IsFound()
    {
        var free = new PcpuFreelist(slotCount: 100, cpuCount: 2);
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
    public void PcpuFreelist_OneCpu_GivesTheNewestFirst()
    {
        var free = new PcpuFreelist(slotCount: 1000, cpuCount: 1);
        var slots = Enumerable.Range(0, 1000).Select(_ => free.Pop(0)).ToList();
        slots.ForEach(s => free.Push(s, 0));
        Enumerable.Range(0, 1000).Select(_ => free.Pop(0)).Should().Equal(slots.AsEnumerable().Reverse());
    }

    [Fact]
    public void PcpuFreelist_ThreadsThatComeAndGo_LoseNoSlot()
    {
        const int Slots = 300;
        var free = new PcpuFreelist(Slots, cpuCount: 2);
        for (var generation = 0; generation < 30; generation++)
        {
            // Each thread ends with what it took on another CPU's list than it took it from.
            OnThreads(3, () =>
            {
                var mine = new List<int>();
                for (var i = 0; i < 200 && free.Pop(i & 1) is var slot and >= 0; i++)
                {
                    mine.Add(slot);
                }

                mine.ForEach(slot => free.Push(slot, ~slot & 1));
            });
        }

        Enumerable.Range(0, Slots).Select(_ => free.Pop(0)).Order().Should().Equal(Enumerable.Range(0, Slots));
        free.Pop(1).Should().Be(-1);
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
