using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Uses a map from several threads at once.</summary>
internal sealed class ThreadCheck(
    Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, ConformanceOptions options)
{
    private const int ThreadCount = 4;
    private const int CallsBeforeFree = 50;
    private readonly List<string> _log = [];
    private bool _isDisposing;

    internal ConformanceFailure? Run(ConformanceCheck check)
    {
        try
        {
            if (check == Rules.Threads)
            {
                TryRounds();
            }
            else
            {
                for (var round = 0; round < Math.Max(1, options.Rounds / 20); round++)
                {
                    TryFree(round);
                }
            }

            return null;
        }
        catch (BrokenRuleException broken)
        {
            return new(broken.Rule, policy, options.Seed, [.. _log], broken.Expected, broken.Found);
        }
    }

    private void TryRounds()
    {
        using var kernel = Kernels.Boot(policy);
        using var map = factory(kernel);
        var shape = new MapShape(map);
        var isRefusing = can is { WhenFull: WhenFull.Refuse, IsCapacityExact: true } && shape.IsFilled;
        for (var round = 0; round < options.Rounds; round++)
        {
            _log.Clear();
            var key = round % 3;
            _log.Add($"round {round}: {ThreadCount} threads create key {key} (NoExist)");
            Expect(Race(kernel, _ => map.UpdateElem(shape.Key(key), shape.Written(5), MapUpdateFlags.NoExist)),
                Errno.EEXIST);
            if (can.CanDelete)
            {
                _log.Add($"{ThreadCount} threads delete key {key}");
                Expect(Race(kernel, _ => map.DeleteElem(shape.Key(key))), Errno.ENOENT);
            }

            kernel.Quiesce();
            if (isRefusing && can.CanDelete)
            {
                Fill(kernel, map, shape);
            }

            var faults = kernel.TakeFaults();
            if (faults.Count > 0)
            {
                throw new BrokenRuleException(Rules.Threads, "the kernel reports no fault", faults[0].ToString());
            }
        }
    }

    // Each thread has keys of its own, together more than there is room for.
    private void Fill(KernelModel kernel, BpfMap map, MapShape shape)
    {
        var each = (shape.Capacity / ThreadCount) + 2;
        _log.Add($"{ThreadCount} threads create {each} keys each; {shape.Capacity} have room");
        var made = 0;
        Race(kernel, thread =>
        {
            for (var i = 0; i < each; i++)
            {
                if (map.UpdateElem(shape.Key((thread * each) + i), shape.Written(9)) == Errno.None)
                {
                    Interlocked.Increment(ref made);
                }
            }

            return Errno.None;
        });
        if (made != shape.Capacity)
        {
            throw new BrokenRuleException(
                Rules.Threads, $"{shape.Capacity} keys have room",
                $"{made} were taken; {Present(map, shape, ThreadCount * each)} are there; {map.TakeCensus()}");
        }

        _log.Add("each thread deletes its keys");
        var gone = 0;
        Race(kernel, thread =>
        {
            for (var i = 0; i < each; i++)
            {
                if (map.DeleteElem(shape.Key((thread * each) + i)) == Errno.None)
                {
                    Interlocked.Increment(ref gone);
                }
            }

            return Errno.None;
        });
        if (gone != made)
        {
            throw new BrokenRuleException(Rules.Threads, $"{made} deletes succeed", $"{gone} did");
        }

        kernel.Quiesce();
    }

    private static string Present(BpfMap map, MapShape shape, int count) => string.Join(", ", Enumerable.Range(0, count)
        .Where(k => map.LookupElem(shape.Key(k), new byte[shape.ValueSize]) == Errno.None).Select(k => $"key {k}"));

    private static void Expect(Errno[] answers, Errno others)
    {
        var winners = answers.Count(a => a == Errno.None);
        if (winners != 1 || answers.Any(a => a != Errno.None && a != others))
        {
            throw new BrokenRuleException(
                Rules.Threads, $"one succeeds, the others get -{others}", string.Join(", ", answers));
        }
    }

    private static Errno[] Race(KernelModel kernel, Func<int, Errno> run, ConformanceCheck? rule = null)
    {
        using var start = new Barrier(ThreadCount);
        var answers = new Errno[ThreadCount];
        Exception? failure = null;
        var threads = Enumerable.Range(0, ThreadCount).Select(i => new Thread(() =>
        {
            try
            {
                kernel.CurrentCpu = i % kernel.CpuCount;
                start.SignalAndWait();
                answers[i] = run(i);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        return failure is null ? answers : throw new BrokenRuleException(
            rule ?? Rules.Threads, "no exception", $"{failure.GetType().Name}: {failure.Message}");
    }

    private void TryFree(int round)
    {
        _log.Clear();
        _isDisposing = false;
        using var kernel = Kernels.Boot(policy);
        var tasks = Kernels.Tasks(kernel);
        var before = tasks.Select(t => t.Count.Value).ToArray();
        var map = factory(kernel);
        var shape = new MapShape(map);
        _log.Add($"round {round}: {ThreadCount} threads use the map; one of them disposes of it");
        var calls = 0;
        Race(kernel, thread =>
        {
            var random = new Random(HashCode.Combine(options.Seed, round, thread));
            while (thread != 0 || Volatile.Read(ref calls) < CallsBeforeFree)
            {
                // A program that runs holds its maps, which C# cannot; what it found is good for as long as it reads.
                using (kernel.Rcu.ReadLock())
                {
                    if (Volatile.Read(ref _isDisposing))
                    {
                        return Errno.None;
                    }

                    Use(map, shape, random, tasks);
                }

                Interlocked.Increment(ref calls);
            }

            Volatile.Write(ref _isDisposing, true);
            map.Dispose();
            kernel.Quiesce();
            return Errno.None;
        }, Rules.FreeDuringUse);
        kernel.Quiesce();
        var faults = kernel.TakeFaults();
        if (faults.Count > 0 || !map.IsFreed)
        {
            throw new BrokenRuleException(
                Rules.FreeDuringUse, "a freed map and no fault",
                faults.Count > 0 ? faults[0].ToString() : $"{map} lives");
        }

        for (var o = 0; o < tasks.Length; o++)
        {
            if (tasks[o].Count.Value != before[o])
            {
                throw new BrokenRuleException(
                    Rules.FreeDuringUse, $"{Step.NameOf(o)} has its {before[o]} references again",
                    $"{tasks[o].Count.Value}; {kernel.Ledger.WhoPins(tasks[o])}");
            }
        }
    }

    private void Use(BpfMap map, MapShape shape, Random random, TaskStruct[] tasks)
    {
        var key = shape.Key(random.Next(Math.Min(shape.Capacity, 4)));
        switch (random.Next(4))
        {
            case 0:
                map.UpdateElem(key, shape.Written((ulong)random.Next(1, 9)));
                break;
            case 1 when can.CanDelete:
                map.DeleteElem(key);
                break;
            case 2 when !shape.KptrOffsets.IsEmpty:
                shape.Store(map.ProgLookup(key, 0), 0, tasks[random.Next(tasks.Length)]);
                break;
            default:
                map.LookupElem(key, new byte[shape.ValueSize]);
                break;
        }
    }
}
