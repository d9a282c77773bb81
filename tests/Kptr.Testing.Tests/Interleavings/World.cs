using CustomMap;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing.Tests.Schedules;

/// <summary>A kernel with a map in it, for several threads.</summary>
public sealed class World : IDisposable
{
    private const ulong Written = 0x5eed;
    private bool _isUnlinked;
    private bool _isFreed;
    private int _made;
    private readonly FaultPlan _faults = new();

    public World(Func<KernelModel, BpfMap> make)
    {
        Kernel = new(new KernelModelOptions
        {
            Driver = DeferredDriver.Manual, Clock = new VirtualClock(), FaultPlan = _faults,
        });
        Map = make(Kernel);
        Task = Kernel.Tasks.Fork(Kernel.Tasks.Init, "nginx");
        UsersBefore = Task.Count.Value;
    }

    public KernelModel Kernel { get; }

    public BpfMap Map { get; }

    public TaskStruct Task { get; }

    public int UsersBefore { get; }

    public static World Of(string kind) => new(kernel => kind switch
    {
        "hash" => new HashMap<int, NaiveValue>(kernel, 2),
        "hash without preallocation" => new HashMap<int, NaiveValue>(kernel, 2, flags: Specs.MapFlags.NoPrealloc),
        "LRU hash" => new LruHashMap<int, NaiveValue>(kernel, 2),
        "array" => new ArrayMap<NaiveValue>(kernel, 2),
        "sample" => new TimeWindowMap(kernel, "window", 4, TimeSpan.FromMilliseconds(10)),
        _ => new NaiveMap(kernel, 2, Enum.Parse<Fault>(kind)),
    });

    public static World Holding(string kind)
    {
        var world = Of(kind);
        world.Update(1);
        return world;
    }

    public Errno Update(int key, MapUpdateFlags flags = MapUpdateFlags.Any, ulong first = Written)
    {
        Span<byte> value = new byte[Map.ValueSize];
        BitConverter.TryWriteBytes(value, first);
        return Map.UpdateElem(Bytes(key), value, flags);
    }

    public int Made => _made;

    public void Count(Errno answer) => _made += answer == Errno.None ? 1 : 0;

    public Errno Delete(int key) => Map.DeleteElem(Bytes(key));

    public Errno Lookup(int key) => Map.LookupElem(Bytes(key), new byte[Map.ValueSize]);

    /// <summary>Six operations, each of which may fail; no two threads do the same.</summary>
    public void Work(int thread)
    {
        for (var i = 0; i < 6; i++)
        {
            var key = 1 + ((thread + (i / 2)) % 2);
            switch ((thread + i) % 3)
            {
                case 0:
                    Store(key);
                    break;
                case 1:
                    FailIfAsked(FaultPoint.LockBucket);
                    Delete(key);
                    break;
                default:
                    FailIfAsked(FaultPoint.AllocElem);
                    Update(key);
                    break;
            }
        }
    }

    /// <summary>What a program does in an NMI.</summary>
    public void Disturb(int key)
    {
        using (Kernel.EnterContext(ExecContext.Nmi))
        {
            Store(key);
        }
    }

    private void FailIfAsked(FaultPoint point)
    {
        if (Interleavings.Fault())
        {
            _faults.Fail(point.Name);
        }
    }

    /// <summary>As a program does: looks the value up and swaps its task with one more reference to ours.</summary>
    public void Store(int key)
    {
        using (Kernel.Rcu.ReadLock())
        {
            var at = Map.ProgLookup(Bytes(key), 0);
            if (at != 0)
            {
                Slot(at).Exchange(Task.TryAcquire())?.Release();
            }
        }
    }

    /// <summary>As a program does that reads a value, or one that keeps its address too long.</summary>
    public unsafe void Read(int key, bool isCareless)
    {
        var reader = Kernel.Rcu.ReadLock();
        var at = Map.ProgLookup(Bytes(key), 0);
        if (isCareless)
        {
            reader.Dispose();
        }

        if (at != 0 && ((NaiveValue*)at)->First is var first && first != Written)
        {
            throw new InvalidOperationException($"the value reads {first:x}");
        }

        if (!isCareless)
        {
            reader.Dispose();
        }
    }

    /// <summary>A reader that nobody may free anything under, once it was waited for.</summary>
    public void ReadShared()
    {
        using (Kernel.Rcu.ReadLock())
        {
            if (!Volatile.Read(ref _isUnlinked) && Volatile.Read(ref _isFreed))
            {
                throw new InvalidOperationException("freed under a reader");
            }

            var isSeen = !Volatile.Read(ref _isUnlinked);
            if (isSeen && Volatile.Read(ref _isFreed))
            {
                throw new InvalidOperationException("freed under a reader");
            }
        }
    }

    public void FreeShared(bool isCareless)
    {
        Volatile.Write(ref _isUnlinked, true);
        if (!isCareless)
        {
            Kernel.Rcu.Synchronize();
        }

        Volatile.Write(ref _isFreed, true);
    }

    /// <summary>Uses the map as a program does that holds it, or not at all.</summary>
    public void UseUnlessFreed(int key)
    {
        using (Kernel.Rcu.ReadLock())
        {
            if (!Volatile.Read(ref _isUnlinked))
            {
                Store(key);
            }
        }
    }

    public void Free()
    {
        Volatile.Write(ref _isUnlinked, true);
        Map.Dispose();
        Kernel.Quiesce();
    }

    /// <summary>Nothing is lost once all is over.</summary>
    public void CheckAllIsBack()
    {
        Kernel.Quiesce();
        Kernel.TakeFaults().Should().BeEmpty();
        Map.TakeCensus().IsComplete.Should().BeTrue($"{Map.TakeCensus()}");
        Map.Dispose();
        Kernel.Quiesce();
        Kernel.TakeFaults().Should().BeEmpty();
        Map.IsFreed.Should().BeTrue();
        Task.Count.Value.Should().Be(UsersBefore, "the map gave back what it held");
    }

    public void Dispose() => Kernel.Dispose();

    private static byte[] Bytes(int key) => BitConverter.GetBytes(key);

    private unsafe ref Kptr<TaskStruct> Slot(ulong at) =>
        ref ((NaiveValue*)at)->Task;
}
