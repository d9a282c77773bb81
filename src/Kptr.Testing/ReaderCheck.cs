using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Deletes elements under the eyes of a reader.</summary>
internal sealed unsafe class ReaderCheck(
    Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, ConformanceOptions options,
    Watch watch)
{
    private const int TurnsMax = 8;
    private const ulong NewValue = 100;
    private readonly List<string> _log = [];

    internal ConformanceFailure? Run()
    {
        foreach (var flavour in new[] { GracePeriods.Rcu, GracePeriods.TasksTrace }.Where(f => (can.KeptFor & f) != 0))
        {
            _log.Clear();
            watch.Beat(_log);
            try
            {
                Try(flavour, isTaken: false);
                if (can.CanTake)
                {
                    Try(flavour, isTaken: true);
                }

                TryReplace(flavour);
            }
            catch (BrokenRuleException broken)
            {
                return broken.ToFailure(policy, options.Seed, _log);
            }
        }

        return null;
    }

    private void Try(GracePeriods flavour, bool isTaken)
    {
        using var kernel = Kernels.Boot(policy);
        using var map = factory(kernel);
        var shape = new MapShape(map, can);
        var count = shape.CountToFill;
        for (var key = 0; key < count; key++)
        {
            map.UpdateElem(shape.Key(key), shape.Written((ulong)key + 1));
        }

        _log.Add($"update keys 0 to {count - 1}");
        using (flavour == GracePeriods.Rcu ? kernel.Rcu.ReadLock() : kernel.RcuTrace.ReadLock())
        {
            _log.Add($"a reader of {flavour} begins, and looks all keys up");
            var found = Enumerable.Range(0, count).Select(k => Enumerable.Range(0, shape.PlaceCount)
                .Select(place => map.ProgLookup(shape.Key(k), shape.CpuOf(place))).ToArray()).ToArray();
            for (var key = 0; key < count; key++)
            {
                Delete(map, shape, key, isTaken);
            }

            _log.Add($"{(isTaken ? "look up and delete" : "delete")} keys 0 to {count - 1}");
            for (var turn = 0; turn < TurnsMax; turn++)
            {
                CheckWhole(shape, found, $"after {turn} rounds of grace periods and work items");
                _ = kernel.RcuTrace.Step() + kernel.Rcu.Step() + (kernel.Work.Step() ? 1 : 0);
            }

            for (var key = 0; key < count; key++)
            {
                map.UpdateElem(shape.Key(count + key), shape.Written(0xfeed));
            }

            _log.Add("update as many other keys, which may find no room");
            CheckWhole(shape, found, "after the updates");
            for (var key = 0; key < count; key++)
            {
                map.DeleteElem(shape.Key(count + key));
            }
        }

        _log.Add("the reader ends; everything deferred runs");
        kernel.Quiesce();
        for (var key = 0; key < count; key++)
        {
            var err = map.UpdateElem(shape.Key(key), shape.Written(7));
            if (err != Errno.None)
            {
                throw new BrokenRuleException(
                    Rules.ReaderSafety, $"there is room for {count} keys again", $"-{err} for key {key}");
            }
        }
    }

    // An update may write over what the reader sees, or put something new beside it; it may not give its memory away.
    private void TryReplace(GracePeriods flavour)
    {
        _log.Clear();
        using var kernel = Kernels.Boot(policy);
        using var map = factory(kernel);
        var shape = new MapShape(map, can);
        var count = Math.Max(1, shape.CountToFill / 2);
        for (var key = 0; key < count; key++)
        {
            map.UpdateElem(shape.Key(key), shape.Written((ulong)key + 1));
        }

        _log.Add($"update keys 0 to {count - 1}");
        using (flavour == GracePeriods.Rcu ? kernel.Rcu.ReadLock() : kernel.RcuTrace.ReadLock())
        {
            _log.Add($"a reader of {flavour} begins, and looks them up");
            var found = Enumerable.Range(0, count)
                .Select(key => map.ProgLookup(shape.Key(key), shape.CpuOf(0))).ToArray();
            for (var key = 0; key < count; key++)
            {
                map.UpdateElem(shape.Key(key), shape.Written((ulong)key + NewValue));
            }

            _log.Add("update the same keys to other values");
            for (var turn = 0; turn < TurnsMax; turn++)
            {
                _ = kernel.RcuTrace.Step() + kernel.Rcu.Step() + (kernel.Work.Step() ? 1 : 0);
            }

            for (var key = count; key < 2 * count; key++)
            {
                map.UpdateElem(shape.Key(key), shape.Written(0xfeed));
            }

            _log.Add("update as many other keys");
            foreach (var (key, at) in found.Index())
            {
                var bytes = new ReadOnlySpan<byte>((void*)at, at == 0 ? 0 : shape.ValueSize);
                if (bytes.Length > 0 && !shape.PlainEquals(bytes, (ulong)key + 1)
                    && !shape.PlainEquals(bytes, (ulong)key + NewValue))
                {
                    throw new BrokenRuleException(
                        Rules.ReaderSafety, $"what the reader found under key {key} is its old or its new value",
                        MapShape.Text(bytes));
                }
            }
        }

        kernel.Quiesce();
    }

    private static void Delete(BpfMap map, MapShape shape, int key, bool isTaken)
    {
        if (isTaken)
        {
            map.LookupAndDeleteElem(shape.Key(key), new byte[shape.UserSize]);
        }
        else if ((key & 1) == 0)
        {
            map.DeleteElem(shape.Key(key));
        }
        else
        {
            map.ProgDelete(shape.Key(key), 0);
        }
    }

    private static void CheckWhole(MapShape shape, ulong[][] found, string when)
    {
        foreach (var (key, values) in found.Index())
        {
            foreach (var (place, at) in values.Index())
            {
                var value = (ulong)key + 1 + ((ulong)place * MapShape.PlaceStep);
                var bytes = new ReadOnlySpan<byte>((void*)at, at == 0 ? 0 : shape.ValueSize);
                if (bytes.Length > 0 && !shape.PlainEquals(bytes, value))
                {
                    throw new BrokenRuleException(
                        Rules.ReaderSafety, $"the value of key {key} stays {MapShape.Text(shape.Shown(value))}",
                        $"{MapShape.Text(bytes)} {when}");
                }
            }
        }
    }
}
