using Kptr.Maps;

namespace Kptr.Tests.Maps;

/// <summary>Free slots of a map at random, against plain stacks: a stock of each CPU, a depot behind them.</summary>
public class PcpuFreelistTests
{
    private const int StockMax = 64;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 3)]
    [InlineData(80, 24)] // one slot at a time comes from the depot
    [InlineData(300, 2)]
    [InlineData(700, 3)]
    public void Slots_ComeAndGoAsOnPlainStacks(int slots, int cpus)
    {
        var random = new Random(slots);
        var list = new PcpuFreelist(slots, cpus);
        var model = new Model(slots, cpus);
        var used = new List<int>();
        for (var step = 0; step < 4000; step++)
        {
            // Mostly one way for a while: stocks overflow and run dry.
            var cpu = random.Next(4) == 0 ? random.Next(cpus) : step / 256 % cpus;
            if (random.Next(8) == 0 ^ (step / 512 % 2 == 0))
            {
                var slot = list.Pop(cpu);
                Assert.Equal(model.Pop(cpu), slot);
                used.AddRange(slot < 0 ? [] : [slot]);
            }
            else if (used.Count > 0)
            {
                var slot = used[random.Next(used.Count)];
                used.Remove(slot);
                list.Push(slot, cpu);
                model.Push(slot, cpu);
            }

            Assert.Equal(slots - used.Count, list.Count);
        }

        var free = new List<int>();
        list.Walk(free.Add);
        Assert.Equal(Enumerable.Range(0, slots), free.Concat(used).Order());
    }

    [Fact]
    public void EverySlot_IsWithinReachOfEachCpu()
    {
        var list = new PcpuFreelist(80, 24);
        Enumerable.Range(0, 80).Select(_ => list.Pop(0)).Should().BeEquivalentTo(Enumerable.Range(0, 80));
        list.Pop(0).Should().Be(-1);
        Enumerable.Range(0, 80).ToList().ForEach(slot => list.Push(slot, 0));
        Enumerable.Range(0, 80).Select(_ => list.Pop(1)).Should().BeEquivalentTo(Enumerable.Range(0, 80));
        list.Pop(1).Should().Be(-1);
        list.Count.Should().Be(0);
    }

    [Fact]
    public unsafe void ExtraElems_AreOneForEachCpu_AndNotFree()
    {
        var list = new PcpuFreelist(5, 3);
        list.ExtraElemCount.Should().Be(0);
        list.SetExtraElemsAside();
        (list.ExtraElemCount, list.Count).Should().Be((3, 2));
        Enumerable.Range(0, 3).Select(cpu => list.Stock(cpu)->TakeExtraElem()).Should().Equal(0, 1, 2);
        list.ExtraElemCount.Should().Be(0);
        list.Stock(1)->ReturnExtraElem(0);
        list.Stock(1)->HasExtraElem.Should().BeTrue("the first slot is one, too");
        new[] { list.Pop(0), list.Pop(0), list.Pop(0) }.Should().BeEquivalentTo([3, 4, -1]);
    }

    private sealed class Model(int slots, int cpus)
    {
        private readonly List<int>[] _stocks = [.. Enumerable.Range(0, cpus).Select(_ => new List<int>())];
        private readonly Stack<int> _depot = new();
        private readonly int _batch = Math.Clamp(slots / (2 * cpus), 1, StockMax / 2);
        private int _unused;

        internal void Push(int slot, int cpu)
        {
            var stock = _stocks[cpu];
            if (stock.Count == StockMax)
            {
                stock[..(StockMax / 2)].ForEach(_depot.Push);
                stock.RemoveRange(0, StockMax / 2);
            }

            stock.Add(slot);
        }

        internal int Pop(int cpu)
        {
            var stock = _stocks[cpu];
            if (stock.Count == 0)
            {
                Fill(stock);
            }

            // Else the next CPU that has one.
            var from = Enumerable.Range(cpu, cpus).Select(c => _stocks[c % cpus]).FirstOrDefault(s => s.Count > 0);
            if (from is null)
            {
                return -1;
            }

            var newest = from[^1];
            from.RemoveAt(from.Count - 1);
            return newest;
        }

        private void Fill(List<int> stock)
        {
            while (stock.Count < _batch && _depot.TryPop(out var slot))
            {
                stock.Insert(0, slot);
            }

            if (stock.Count == 0 && _unused < slots)
            {
                stock.AddRange(Enumerable.Range(_unused, Math.Min(_batch, slots - _unused)).Reverse());
                _unused += _batch;
            }
        }
    }
}
