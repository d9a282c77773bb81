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

    /// <summary>Slots go out as from plain stacks: a stock for each CPU, a depot, and what was never used.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)]
    [InlineData(63, 4)]
    [InlineData(200, 7)]
    [InlineData(300, 3)]
    [InlineData(1000, 2)]
    public void PcpuFreelist_DoesAsPlainStacksDo(int slots, int cpus)
    {
        var random = new Random(slots);
        var free = new PcpuFreelist(slots, cpus);
        free.ExtraElemCount.Should().Be(0);
        free.SetExtraElemsAside();
        free.ExtraElemCount.Should().Be(cpus);
        Enumerable.Range(0, cpus).Select(cpu => free.Stock(cpu)->TakeExtraElem())
            .Should().Equal(Enumerable.Range(0, cpus));
        free.ExtraElemCount.Should().Be(0);
        var batch = Math.Clamp(slots / (2 * cpus), 1, 32);
        var stocks = Enumerable.Range(0, cpus).Select(_ => new Stack<int>()).ToList();
        var depot = new Stack<int>();
        var unused = new Queue<int>(Enumerable.Range(cpus, slots - cpus));
        var mine = new List<int>();
        for (var step = 0; step < 4000; step++)
        {
            var cpu = Math.Max(0, random.Next(-cpus, cpus));
            if (mine.Count > 0 && random.Next(100) < (step / 1000 % 2 == 0 ? 30 : 70))
            {
                var slot = mine[random.Next(mine.Count)];
                mine.Remove(slot);
                if (stocks[cpu].Count == 64)
                {
                    var all = stocks[cpu].Reverse().ToList();
                    all[..32].ForEach(depot.Push);
                    stocks[cpu] = new(all[32..]);
                }

                free.Push(slot, cpu);
                stocks[cpu].Push(slot);
            }
            else
            {
                var (slot, expected) = (free.Pop(cpu), PopPlain(cpu));
                Assert.Equal(expected, slot);
                mine.AddRange(slot < 0 ? [] : [slot]);
            }

            Assert.Equal(slots - cpus - mine.Count, free.Count);
        }

        var left = new List<int>();
        free.Walk(left.Add);
        left.Should().BeEquivalentTo([.. stocks.SelectMany(s => s), .. depot, .. unused]);
        Enumerable.Range(0, 64).AsParallel().Select(_ => free.StockNearby() - free.Stock(0)).ToList()
            .Should().OnlyContain(i => i >= 0 && i < cpus);

        int PopPlain(int cpu)
        {
            var own = stocks[cpu];
            if (own.Count == 0)
            {
                var (some, isUnused) = depot.Count > 0 ? (depot.Count, false) : (unused.Count, true);
                var taken = Enumerable.Range(0, Math.Min(batch, some))
                    .Select(_ => isUnused ? unused.Dequeue() : depot.Pop());
                stocks[cpu] = own = new(taken.Reverse());
            }

            var from = Enumerable.Range(0, cpus).Select(i => stocks[(cpu + i) % cpus]).FirstOrDefault(s => s.Count > 0);
            return from?.Pop() ?? -1;
        }
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
