using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Uses a map from several threads at once.</summary>
internal sealed class ThreadCheck(
    Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, ConformanceOptions options,
    Watch watch)
{
    private const int ThreadCount = 4;
    private const int KeysInMix = 3;
    private const int ManyKeysInMix = 8;
    private const int CallsInMix = 100;
    private const int ValuesPerKey = 8;
    private const int RoundsPerMix = 5;
    private readonly List<string> _log = [];

    internal ConformanceFailure? Run(ConformanceCheck check)
    {
        try
        {
            if (check != Rules.FreeDuringUse)
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
            return broken.ToFailure(policy, options.Seed, _log);
        }
    }

    private void TryRounds()
    {
        using var kernel = Kernels.Boot(policy);
        using var map = factory(kernel);
        var shape = new MapShape(map, can);
        var isRefusing = can is { WhenFull: WhenFull.Refuse, IsCapacityExact: true } && shape.IsFilled;
        for (var round = 0; round < options.Rounds; round++)
        {
            _log.Clear();
            watch.Beat(_log);
            if (round % RoundsPerMix == 0)
            {
                Mix(kernel, map, shape, round);
            }

            if (round % RoundsPerMix == 0 && can.WhenFull != WhenFull.Evict)
            {
                WriteOver(kernel, map, shape, round);
            }

            var key = round % 3;
            _log.Add($"round {round}: {ThreadCount} threads create key {key} (NoExist)");
            var value = shape.Written(ValueOf(key, 5));
            Expect(Race(kernel, _ => map.UpdateElem(shape.Key(key), value, MapUpdateFlags.NoExist)), Errno.EEXIST);
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

    // All at once, on few keys; what is left must be there in every way, or in none.
    private void Mix(KernelModel kernel, BpfMap map, MapShape shape, int round)
    {
        // Few keys meet each other; many share buckets and cells, and push one another out.
        var count = round % (2 * RoundsPerMix) == 0 ? KeysInMix : Math.Min(ManyKeysInMix, shape.KeyCount);
        count = can.Keys == MapKeys.Index ? Math.Min(count, shape.Capacity) : count;
        _log.Add($"round {round}: {ThreadCount} threads create, delete and look up {count} keys");
        Race(kernel, thread =>
        {
            var random = new Random(HashCode.Combine(options.Seed, round, thread));
            for (var i = 0; i < CallsInMix; i++)
            {
                UseOne(map, shape, random, count);
            }

            return Errno.None;
        });
        kernel.Quiesce();
        if (!map.TakeCensus().IsComplete)
        {
            throw new BrokenRuleException(Rules.Threads, "no slot is lost", $"{map.TakeCensus()}");
        }

        for (var number = 0; number < count; number++)
        {
            var key = shape.Key(number);
            var err = map.LookupElem(key, new byte[shape.UserSize]);
            using (kernel.Rcu.ReadLock())
            {
                if (map.ProgLookup(key, 0) == 0 == (err == Errno.None))
                {
                    throw new BrokenRuleException(
                        Rules.Threads, $"user space and programs agree on key {number}", $"user space gets {err}");
                }
            }

            // A look-up in a trie may have found a shorter prefix.
            if (can.CanDelete && map.DeleteElem(key) is var deleted && deleted != err
                && !(shape.IsTrie && deleted == Errno.ENOENT))
            {
                throw new BrokenRuleException(
                    Rules.Threads, $"key {number}, whose look-up gave {err}, is deleted accordingly", $"{deleted}");
            }
        }

        kernel.Quiesce();
    }

    private void UseOne(BpfMap map, MapShape shape, Random random, int keyCount)
    {
        var number = random.Next(keyCount);
        switch (random.Next(3))
        {
            case 0:
                map.UpdateElem(shape.Key(number), shape.Written(ValueOf(number, random.Next(ValuesPerKey))));
                break;
            case 1 when can.CanDelete:
                map.DeleteElem(shape.Key(number));
                break;
            default:
                Look(map, shape, number);
                break;
        }
    }

    // One thread writes a key over, the others must find it.
    private void WriteOver(KernelModel kernel, BpfMap map, MapShape shape, int round)
    {
        _log.Clear();
        _log.Add($"round {round}: a thread writes key 0 over, the others look it up");
        map.UpdateElem(shape.Key(0), shape.Written(ValueOf(0, 0)));
        Race(kernel, thread =>
        {
            for (var i = 0; i < CallsInMix; i++)
            {
                if (thread == 0)
                {
                    map.UpdateElem(shape.Key(0), shape.Written(ValueOf(0, i % ValuesPerKey)));
                }
                else if (Look(map, shape, 0) is var err and not Errno.None)
                {
                    throw new BrokenRuleException(Rules.Threads, "the key is there all the time", $"{err}");
                }
            }

            return Errno.None;
        });
        map.DeleteElem(shape.Key(0));
        kernel.Quiesce();
    }

    // Each key has values of its own, so that a stranger's is seen.
    private static ulong ValueOf(int number, int nth) => (ulong)((number + 1) * ValuesPerKey) + (ulong)nth;

    private Errno Look(BpfMap map, MapShape shape, int number)
    {
        var shown = new byte[shape.UserSize];
        var err = map.LookupElem(shape.Key(number), shown);
        if (err == Errno.None && can.ReadsWhole && !shape.IsTrie
            && !Enumerable.Range(0, ValuesPerKey).Any(nth => shape.IsShown(shown, ValueOf(number, nth))))
        {
            throw new BrokenRuleException(
                Rules.Threads, $"key {number} reads as one of the values that were written to it",
                MapShape.Text(shown));
        }

        return err;
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
        .Where(k => map.LookupElem(shape.Key(k), new byte[shape.UserSize]) == Errno.None).Select(k => $"key {k}"));

    private static void Expect(Errno[] answers, Errno others)
    {
        var winners = answers.Count(a => a == Errno.None);
        if (winners != 1 || answers.Any(a => a != Errno.None && a != others))
        {
            throw new BrokenRuleException(
                Rules.Threads, $"one succeeds, the others get -{others}", string.Join(", ", answers));
        }
    }

    private static Errno[] Race(KernelModel kernel, Func<int, Errno> run) =>
        Racing.Run(kernel, ThreadCount, run, Rules.Threads);

    private void TryFree(int round)
    {
        _log.Clear();
        watch.Beat(_log);
        using var kernel = Kernels.Boot(policy);
        var objects = Kernels.Objects(kernel);
        var before = objects.Select(t => t.Count.Value).ToArray();
        var map = factory(kernel);
        var shape = new MapShape(map, can);
        _log.Add($"round {round}: {FreeRace.ThreadCount} threads use the map; one of them disposes of it");
        FreeRace.Run(kernel, map, thread =>
        {
            var random = new Random(HashCode.Combine(options.Seed, round, thread));
            return () => Use(map, shape, random, objects);
        });
        for (var o = 0; o < objects.Length; o++)
        {
            if (objects[o].Count.Value != before[o])
            {
                throw new BrokenRuleException(
                    Rules.FreeDuringUse, $"{Step.NameOf(o)} has its {before[o]} references again",
                    $"{objects[o].Count.Value}; {kernel.Ledger.WhoPins(objects[o])}");
            }
        }
    }

    private void Use(BpfMap map, MapShape shape, Random random, KernelObject[] objects)
    {
        if (shape.KptrOffsets.IsEmpty || random.Next(3) > 0)
        {
            UseOne(map, shape, random, Math.Min(KeysInMix, shape.Capacity));
            return;
        }

        var at = map.ProgLookup(shape.Key(random.Next(Math.Min(KeysInMix, shape.Capacity))), 0);
        if (at != 0)
        {
            var field = random.Next(shape.KptrOffsets.Length);
            shape.Exchange(at, field, objects[shape.ObjectFor(random, field)]);
        }
    }
}
