using System.Runtime.CompilerServices;
using CustomMap;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Stress;

/// <summary>A value with a kptr.</summary>
internal struct Entry
{
    public ulong Before;
    public Kptr<TaskStruct> Task;
}

/// <summary>A kind of map, by name.</summary>
internal sealed record StressMapKind(string Name, Func<KernelModel, StressMap> Create, bool NeedsRhash = false);

/// <summary>A map and what a writer does to it.</summary>
internal abstract class StressMap(BpfMap map) : IDisposable
{
    internal const int KeyCount = 24;

    internal BpfMap Map { get; } = map;

    internal abstract void Touch(Worker w, TaskStruct task);

    public virtual void Dispose() => Map.Dispose();
}

/// <summary>Every kind there is.</summary>
internal static class StressMaps
{
    private const uint Entries = 16;

    internal static IReadOnlyList<StressMapKind> Kinds { get; } =
    [
        new("hash", k => new TypedStress(new HashMap<int, Entry>(k, Entries))),
        new("hash-no-prealloc", k => new TypedStress(new HashMap<int, Entry>(k, Entries, flags: MapFlags.NoPrealloc))),
        new("percpu-hash", k => new TypedStress(new PercpuHashMap<int, Entry>(k, Entries))),
        new("array", k => new TypedStress(new ArrayMap<Entry>(k, Entries))),
        new("percpu-array", k => new TypedStress(new PercpuArrayMap<Entry>(k, Entries))),
        new("lru", k => new TypedStress(new LruHashMap<int, Entry>(k, Entries))),
        new("lru-per-cpu-lists",
            k => new TypedStress(new LruHashMap<int, Entry>(k, Entries, flags: MapFlags.NoCommonLru))),
        new("lru-percpu", k => new TypedStress(new LruPercpuHashMap<int, Entry>(k, Entries))),
        new("rhash", k => new TypedStress(new RhashMap<int, Entry>(k, Entries)), NeedsRhash: true),
        new("task-storage", k => new StorageStress(new(k))),
        new("derived", k => new WindowStress(new(k, "window", Entries, TimeSpan.FromMilliseconds(50)))),
        new("hash-of-maps", k => new OuterStress(k)),
        new("queue", k => new BytesStress(k, new("q", BpfMapType.Queue) { ValueSize = 8, MaxEntries = Entries })),
        new("stack", k => new BytesStress(k, new("s", BpfMapType.Stack) { ValueSize = 8, MaxEntries = Entries })),
        new("lpm", k => new BytesStress(k, new("l", BpfMapType.LpmTrie)
        {
            KeySize = 8,
            ValueSize = 8,
            MaxEntries = Entries,
            Flags = MapFlags.NoPrealloc,
        })),
    ];
}

/// <summary>Maps of C# structs by number.</summary>
internal sealed class TypedStress(ITypedMap<int, Entry> map) : StressMap(map.Map)
{
    internal override void Touch(Worker w, TaskStruct task)
    {
        var key = w.Random.Next(KeyCount);
        switch (w.Random.Next(12))
        {
            case 0 or 1 or 2:
                w.Step("update");
                map.Update(key, new Entry { Before = (ulong)key });
                break;
            case 3 or 4:
                w.Step("delete");
                map.Delete(key);
                break;
            case 5:
                w.Step("copy out");
                map.TryGetValue(key, out _);
                break;
            case 6:
                w.Step("copy all out");
                _ = map.Snapshot();
                break;
            case 7:
                w.Step("take");
                Map.LookupAndDeleteElem(BitConverter.GetBytes(key), new byte[Map.UserValueSize]);
                break;
            default:
                w.Step("exchange");
                Exchange(key, w.Random.Next(4) == 0 ? null : task);
                break;
        }
    }

    private void Exchange(int key, TaskStruct? task)
    {
        using var reader = Map.Core.Rcu.ReadLock();
        ref var entry = ref map.Lookup(key);
        if (!Unsafe.IsNullRef(ref entry))
        {
            entry.Task.Exchange(task?.TryAcquire())?.Release();
        }
    }
}

/// <summary>Storage that ends with its owner.</summary>
internal sealed class StorageStress(LocalStorageMap<TaskStruct, Entry> map) : StressMap(map)
{
    internal override void Touch(Worker w, TaskStruct task)
    {
        switch (w.Random.Next(4))
        {
            case 0:
                w.Step("update");
                map.Update(task, new Entry { Before = 1 });
                break;
            case 1:
                w.Step("delete");
                map.Delete(task);
                break;
            default:
                w.Step("exchange");
                using (map.Core.Rcu.ReadLock())
                {
                    ref var entry = ref map.LookupOrInit(task);
                    if (!Unsafe.IsNullRef(ref entry))
                    {
                        entry.Task.Exchange(map.Core.Tasks.Init.TryAcquire())?.Release();
                    }
                }

                break;
        }
    }
}

/// <summary>The derived map of the samples, with a lock of its own.</summary>
internal sealed class WindowStress(TimeWindowMap map) : StressMap(map)
{
    internal override void Touch(Worker w, TaskStruct task)
    {
        switch (w.Random.Next(4))
        {
            case 0:
                w.Step("delete");
                map.DeleteElem(BitConverter.GetBytes(task.Pid));
                break;
            case 1:
                w.Step("update");
                map.UpdateElem(BitConverter.GetBytes(task.Pid), new byte[map.ValueSize]);
                break;
            default:
                w.Step("see");
                using (map.Core.Rcu.ReadLock())
                {
                    map.Update(task.Pid, default(SeenTask), MapUpdateFlags.NoExist);
                    ref var seen = ref map.Lookup(task.Pid);
                    if (!Unsafe.IsNullRef(ref seen))
                    {
                        seen.Task.Exchange(task.TryAcquire())?.Release();
                    }
                }

                break;
        }
    }
}

/// <summary>A hash of maps whose inner maps come and go.</summary>
internal sealed class OuterStress : StressMap
{
    private static readonly MapSpec Inner =
        new("inner", BpfMapType.Array) { KeySize = 4, ValueSize = 8, MaxEntries = 4 };
    private readonly HashOfMaps<int> _map;
    private readonly KernelModel _kernel;

    internal OuterStress(KernelModel kernel)
        : this(kernel, new HashOfMaps<int>(kernel, 16, Inner))
    {
    }

    private OuterStress(KernelModel kernel, HashOfMaps<int> map)
        : base(map)
    {
        _kernel = kernel;
        _map = map;
    }

    internal override void Touch(Worker w, TaskStruct task)
    {
        var key = w.Random.Next(KeyCount);
        switch (w.Random.Next(3))
        {
            case 0:
                w.Step("set");
                using (var inner = MapFactory.Create(_kernel, Inner))
                {
                    _map.Set(key, inner);
                }

                break;
            case 1:
                w.Step("delete");
                _map.Delete(key);
                break;
            default:
                w.Step("look up");
                using (_kernel.Rcu.ReadLock())
                {
                    _map.Lookup(key)?.LookupElem(new byte[4], new byte[8]);
                }

                break;
        }
    }
}

/// <summary>Maps of bytes.</summary>
internal sealed class BytesStress(KernelModel kernel, MapSpec spec) : StressMap(MapFactory.Create(kernel, spec))
{
    internal override void Touch(Worker w, TaskStruct task)
    {
        var key = new byte[Map.KeySize];
        if (key.Length == 8)
        {
            key[0] = (byte)w.Random.Next(33);
            key[4] = (byte)w.Random.Next(KeyCount);
        }

        var value = new byte[8];
        switch (w.Random.Next(4))
        {
            case 0 or 1:
                w.Step("update");
                Map.UpdateElem(key, value);
                break;
            case 2:
                w.Step("look up");
                Map.LookupElem(key, value);
                break;
            default:
                w.Step("delete");
                _ = Map.Type == BpfMapType.LpmTrie ? Map.DeleteElem(key) : Map.LookupAndDeleteElem(key, value);
                break;
        }
    }
}
