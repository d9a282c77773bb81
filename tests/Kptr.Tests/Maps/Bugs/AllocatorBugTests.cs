using Kptr.Maps;

namespace Kptr.Tests.Maps;

/// <summary>Memory that went to the wrong place, or to two at once.</summary>
public class AllocatorBugTests : BugScenario
{
    private static readonly int[] Sizes =
        [.. ((int[])[8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096]).SelectMany(
            s => (int[])[s - 1, s, s + 1])];

    /// <summary>7ac5c53e0073 and 3f2189e4f77b, 2023.</summary>
    [Fact]
    public void Blocks_OfEverySizeAroundTheClassBorders_AreReusedForTheirOwnSize()
    {
        using var core = MapKernel.Boot();
        Scenario(size => core.Heap.AllocateBlock("test", size), (at, _) => core.Heap.TryFree(at));
        var classes = new UsableSizeClasses();
        Fails(() => Scenario(classes.Allocate, classes.Free));

        static unsafe void Scenario(Func<int, ulong> allocate, Action<ulong, int> free)
        {
            for (var round = 0; round < 4; round++)
            {
                var blocks = Sizes.Select(size => (At: allocate(size), Size: size)).OrderBy(b => b.At).ToList();
                blocks.Zip(blocks.Skip(1)).Should().OnlyContain(
                    p => p.First.At + (ulong)p.First.Size <= p.Second.At, "no two blocks share a byte");
                foreach (var (at, size) in round % 2 == 0 ? blocks : Enumerable.Reverse(blocks))
                {
                    free(at, size);
                }
            }
        }
    }

    /// <summary>1c21452d02ee, 2026.</summary>
    [Fact]
    public void PcpuFreelist_HandsEachSlotOutOnce()
    {
        const int Slots = 64;
        var free = new PcpuFreelist(Slots, 2);
        CountDoubled(free, Slots).Should().Be(0);
        var left = new List<int>();
        free.Walk(left.Add);
        left.Order().Should().Equal(Enumerable.Range(0, Slots));

        // A list whose head is read and written in two steps, met by another taker in between.
        var unguarded = new UnguardedList(Slots);
        var met = -1;
        unguarded.BetweenSteps = () =>
        {
            unguarded.BetweenSteps = null;
            met = unguarded.Pop();
        };
        unguarded.Pop().Should().Be(met, "that is the bug");
    }

    private static int CountDoubled(PcpuFreelist free, int slots)
    {
        var owners = new int[slots];
        var doubled = 0;
        var threads = Enumerable.Range(0, 2).Select(cpu => new Thread(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                var slot = free.Pop(cpu);
                if (slot < 0)
                {
                    continue;
                }

                if (Interlocked.Exchange(ref owners[slot], 1) != 0)
                {
                    Interlocked.Increment(ref doubled);
                }

                Volatile.Write(ref owners[slot], 0);
                free.Push(slot, i % 2);
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        return doubled;
    }

    /// <summary>Frees by what a block could hold, and allocates by what is asked for.</summary>
    private sealed class UsableSizeClasses
    {
        private readonly Dictionary<int, Stack<ulong>> _free = [];
        private ulong _next = 1 << 20;

        internal ulong Allocate(int size)
        {
            var unit = (size + 63) / 64;
            if (_free.TryGetValue(unit, out var stack) && stack.TryPop(out var at))
            {
                return at;
            }

            at = _next;
            _next += (ulong)unit * 64;
            return at;
        }

        internal void Free(ulong at, int size)
        {
            var usable = (size / 64) + 1;
            if (!_free.TryGetValue(usable, out var stack))
            {
                _free[usable] = stack = [];
            }

            stack.Push(at);
        }
    }

    /// <summary>Its head is read and written in two steps.</summary>
    private sealed class UnguardedList(int slots)
    {
        private readonly int[] _links = [.. Enumerable.Range(1, slots - 1), -1];
        private int _head;

        internal Action? BetweenSteps { get; set; }

        internal int Pop()
        {
            var slot = Volatile.Read(ref _head);
            BetweenSteps?.Invoke();
            if (slot >= 0)
            {
                Volatile.Write(ref _head, _links[slot]);
            }

            return slot;
        }
    }
}
