using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>While a destructor runs, another thread uses the map: it must not have to wait for that.</summary>
internal sealed class UnlockedCheck(
    Func<KernelCore, BpfMap> factory, MapCapabilities can, DestroyBehavior policy, ConformanceOptions options,
    Watch watch)
{
    private const int WaitsPerHang = 4;
    private readonly List<string> _log = [];
    private List<Task> _others = [];
    private bool _isAsked;
    private bool _hasWaited;

    internal ConformanceFailure? Run()
    {
        try
        {
            using var kernel = Kernels.Boot(policy);
            var objects = Kernels.Objects(kernel);
            Try("update key 0", kernel, objects, (map, shape) => map.UpdateElem(shape.Key(0), shape.Written(2)));
            Try("a program updates key 0", kernel, objects,
                (map, shape) => map.ProgUpdate(shape.Key(0), shape.WrittenOne(2), MapUpdateFlags.Any, 0));
            if (can.CanDelete)
            {
                Try("delete key 0", kernel, objects, (map, shape) => map.DeleteElem(shape.Key(0)));
            }

            if (can.CanTake)
            {
                Try("look up and delete key 0", kernel, objects,
                    (map, shape) => map.LookupAndDeleteElem(shape.Key(0), new byte[shape.UserSize]));
            }

            if (can.WhenFull == WhenFull.Evict)
            {
                Try("fill the map", kernel, objects, Fill);
            }

            return null;
        }
        catch (BrokenRuleException broken)
        {
            return broken.ToFailure(policy, options.Seed, _log);
        }
    }

    private void Try(string what, KernelModel kernel, KernelObject[] objects, Func<BpfMap, MapShape, Errno> end)
    {
        using var map = factory(kernel);
        var shape = new MapShape(map, can);
        _log.Clear();
        _log.Add("update key 0, and store an object in each of its kptrs");
        watch.Beat(_log);
        map.UpdateElem(shape.Key(0), shape.Written(1));
        Store(kernel, map, shape, objects);
        _others = [];
        (_isAsked, _hasWaited) = (false, false);
        map.FieldDied += death => Ask(map, shape, death);
        _log.Add($"{what}; another thread uses the map while the first destructor runs");
        end(map, shape);

        // What the operation put off is asked as well.
        kernel.Quiesce();
        _isAsked = true;
        Task.WaitAll([.. _others]);
        kernel.Quiesce();
        if (_hasWaited)
        {
            throw new BrokenRuleException(
                Rules.Unlocked, "the other thread goes on", "it waits until the destructor's thread goes on");
        }
    }

    private static void Store(KernelModel kernel, BpfMap map, MapShape shape, KernelObject[] objects)
    {
        using var reader = kernel.Rcu.ReadLock();
        for (var place = 0; place < shape.PlaceCount; place++)
        {
            var at = map.ProgLookup(shape.Key(0), shape.CpuOf(place));
            for (var field = 0; at != 0 && field < shape.KptrOffsets.Length; field++)
            {
                shape.Exchange(at, field, objects[shape.ObjectFor(new Random(field), field)]);
            }
        }
    }

    private Errno Fill(BpfMap map, MapShape shape)
    {
        for (var key = 1; key < shape.KeyCount; key++)
        {
            map.UpdateElem(shape.Key(key), shape.Written(3));
        }

        return Errno.None;
    }

    // What the other thread ends is not asked about: it is what it would be on this one.
    private void Ask(BpfMap map, MapShape shape, FieldDeath death)
    {
        if (_isAsked || death.Path == DeathPath.MapFree)
        {
            return;
        }

        _isAsked = true;
        var other = Task.Run(() =>
        {
            for (var key = 0; key < Math.Min(shape.KeyCount, shape.Capacity); key++)
            {
                map.LookupElem(shape.Key(key), new byte[shape.UserSize]);
                map.UpdateElem(shape.Key(key), shape.Written(4), MapUpdateFlags.Exist);
                if (can.CanDelete)
                {
                    map.DeleteElem(shape.Key(key));
                }
            }
        });
        _others.Add(other);
        _hasWaited = !other.Wait(options.HangAfter / WaitsPerHang);
    }
}
