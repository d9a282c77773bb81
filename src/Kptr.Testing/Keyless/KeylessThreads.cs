using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.Keyless;

/// <summary>Pushes and pops from several threads at once.</summary>
internal sealed class KeylessThreads(
    Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, ConformanceOptions options,
    Watch watch)
{
    private const int ThreadCount = 4;
    private const int CallsPerRound = 100;
    private const int RoundsPerFree = 5;
    private const ulong PerThread = 100_000;
    private readonly List<string> _log = [];

    internal ConformanceFailure? Run(ConformanceCheck check)
    {
        try
        {
            var rounds = check == Rules.Threads ? options.Rounds : Math.Max(1, options.Rounds / RoundsPerFree);
            for (var round = 0; round < rounds; round++)
            {
                _log.Clear();
                watch.Beat(_log);
                if (check == Rules.Threads)
                {
                    Exchange(round);
                    Fill(round);
                }
                else
                {
                    Free(round);
                }
            }

            return null;
        }
        catch (BrokenRuleException broken)
        {
            return broken.ToFailure(policy, options.Seed, _log);
        }
    }

    // Each value that was taken in comes out once; of a queue, those of one thread in their order.
    private void Exchange(int round)
    {
        using var kernel = Kernels.Boot(policy);
        using var map = factory(kernel);
        var shape = new MapShape(map, can);
        _log.Add($"round {round}: {ThreadCount} threads push and pop, {CallsPerRound} times each");
        var all = Racing.Run(kernel, ThreadCount, thread => Use(map, shape, thread), Rules.Threads);
        var last = new List<ulong>();
        while (Pop(map, shape, isUser: true) is { } value)
        {
            last.Add(value);
        }

        var pushed = all.SelectMany(a => a.Pushed).Order().ToList();
        var popped = all.SelectMany(a => a.Popped).Concat(last).Order().ToList();
        if (!pushed.SequenceEqual(popped))
        {
            var (lost, more) = (pushed.Except(popped).Count(), popped.Count - popped.Distinct().Count());
            throw new BrokenRuleException(
                Rules.Threads, $"{pushed.Count} values were taken in, and come out, each once",
                $"{popped.Count} came out; {lost} did not, {more} did twice");
        }

        foreach (var (thread, of) in all.Select(a => a.Popped).Append(last).Index())
        {
            var isTurned = !can.IsLifo && of.GroupBy(v => v / PerThread).Any(g => !g.SequenceEqual(g.Order()));
            if (isTurned)
            {
                throw new BrokenRuleException(
                    Rules.Threads, "who pops sees the values of a thread in their order", $"thread {thread} does not");
            }
        }
    }

    private static (List<ulong> Pushed, List<ulong> Popped) Use(BpfMap map, MapShape shape, int thread)
    {
        var random = new Random(thread);
        var (pushed, popped) = (new List<ulong>(), new List<ulong>());
        for (var i = 0; i < CallsPerRound; i++)
        {
            var value = ((ulong)thread * PerThread) + (ulong)i + 1;
            if (random.Next(2) == 0)
            {
                if (Push(map, shape, value, isUser: random.Next(2) == 0) == Errno.None)
                {
                    pushed.Add(value);
                }
            }
            else if (Pop(map, shape, isUser: random.Next(2) == 0) is { } got)
            {
                popped.Add(got);
            }
        }

        return (pushed, popped);
    }

    private void Fill(int round)
    {
        using var kernel = Kernels.Boot(policy);
        using var map = factory(kernel);
        var shape = new MapShape(map, can);
        if (!shape.IsFilled || !can.IsCapacityExact)
        {
            return;
        }

        _log.Add($"round {round}: {ThreadCount} threads push {shape.Capacity} values each");
        var taken = Racing.Run(kernel, ThreadCount, thread => Enumerable.Range(0, shape.Capacity).Count(
            i => Push(map, shape, ((ulong)thread * PerThread) + (ulong)i, isUser: true) == Errno.None), Rules.Threads);
        if (taken.Sum() != shape.Capacity)
        {
            throw new BrokenRuleException(
                Rules.Threads, $"{shape.Capacity} values have room", $"{taken.Sum()} were taken");
        }
    }

    private void Free(int round)
    {
        using var kernel = Kernels.Boot(policy);
        var map = factory(kernel);
        var shape = new MapShape(map, can);
        _log.Add($"round {round}: {FreeRace.ThreadCount} threads use the map; one of them disposes of it");
        FreeRace.Run(kernel, map, thread => () =>
        {
            Push(map, shape, (ulong)thread + 1, isUser: false);
            Pop(map, shape, isUser: false);
        });
    }

    private static Errno Push(BpfMap map, MapShape shape, ulong value, bool isUser) => isUser
        ? map.UpdateElem([], shape.WrittenOne(value)) : map.ProgPush(shape.WrittenOne(value), MapUpdateFlags.Any);

    // Values have eight bytes at least, or the first of them.
    private static ulong? Pop(BpfMap map, MapShape shape, bool isUser)
    {
        var bytes = new byte[Math.Max(sizeof(ulong), shape.ValueSize)];
        var err = isUser
            ? map.LookupAndDeleteElem([], bytes.AsSpan(0, shape.ValueSize)) : map.ProgPop(bytes);
        return err == Errno.None ? BitConverter.ToUInt64(bytes) : null;
    }
}
