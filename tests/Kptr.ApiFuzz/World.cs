using System.Collections.Concurrent;
using System.Reflection;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tracing;

namespace Kptr.ApiFuzz;

/// <summary>
/// The objects that calls are made on and with, shared by all threads: whatever calls returned joins them.
/// </summary>
internal sealed class World
{
    private const int RingMax = 48;

    // Their remarks say that one thread at a time may use them, so each thread has its own.
    private static readonly Type[] s_ofOneThread =
        [typeof(BtfBuilder), typeof(CDeclParser), typeof(TraceReader), typeof(TraceReplay)];

    private readonly ConcurrentDictionary<(Type Type, int Thread), Ring> _own = new();
    private readonly ConcurrentDictionary<Type, Ring> _rings = new();
    private readonly ConcurrentDictionary<Type, Ring[]> _assignable = new();
    private readonly ConcurrentQueue<ulong> _numbers = new();

    internal World(Random random)
    {
        KernelModel[] kernels =
        [
            new(new KernelModelOptions
            {
                Driver = DeferredDriver.Manual, LedgerLevel = LedgerLevel.Full, CpuCount = 3, PossibleCpus = [0, 2],
                Declarations = Widget.Declaration, Kfuncs = KfuncRegistry.Builtin.With(typeof(WidgetKfuncs)),
            }),
            new(new KernelModelOptions
            {
                Profile = KernelProfile.Linux7_2,
                LedgerLevel = (LedgerLevel)random.Next(3),
                Declarations = Widget.Declaration,
            }),
        ];
        foreach (var kernel in kernels)
        {
            Add(kernel);
            AddObjects(kernel);
            AddMaps(kernel);
        }

        AddPrograms(kernels[0]);
        var gone = new KernelModel();
        Add(gone.Tasks.Init);
        Add(new HashMap<int, TaskValue>(gone, 4));
        gone.Dispose();
        Add(gone);
    }

    /// <summary>Numbers that mean something: addresses of objects, ids.</summary>
    internal ulong[] Numbers => [.. _numbers];

    internal void Add(object? value)
    {
        if (value is null or string or Exception
            || value.GetType() is { IsPrimitive: true } or { IsEnum: true } or { IsArray: true })
        {
            return;
        }

        var type = value.GetType();
        if (OneThreadType(type) is { } own)
        {
            Own(own).Add(value);
            return;
        }

        if (!_rings.TryGetValue(type, out var ring))
        {
            ring = _rings.GetOrAdd(type, static _ => new Ring());
            _assignable.Clear();
        }

        ring.Add(value);
    }

    /// <summary>Remembers a number that a call returned, such as an address.</summary>
    internal void AddNumber(ulong number)
    {
        _numbers.Enqueue(number);
        while (_numbers.Count > 64)
        {
            _numbers.TryDequeue(out _);
        }
    }

    /// <summary>An object of a type; null when there is none yet.</summary>
    internal object? Pick(Type type, Random random)
    {
        if (OneThreadType(type) is { } own)
        {
            return Own(own).Pick(random);
        }

        var rings = _assignable.GetOrAdd(
            type, t => [.. _rings.Where(r => t.IsAssignableFrom(r.Key)).Select(r => r.Value)]);
        return rings.Length == 0 ? null : rings[random.Next(rings.Length)].Pick(random);
    }

    private static Type? OneThreadType(Type type) => Array.Find(s_ofOneThread, t => t.IsAssignableFrom(type));

    private Ring Own(Type type) => _own.GetOrAdd((type, Environment.CurrentManagedThreadId), static _ => new Ring());

    private void AddObjects(KernelModel kernel)
    {
        var child = kernel.Tasks.Fork(kernel.Tasks.Init, "child");
        var gone = kernel.Tasks.Fork(kernel.Tasks.Init, "gone");
        Add(child);
        Add(gone);
        Add(kernel.Tasks.Init);
        kernel.Tasks.Exit(gone);
        kernel.Tasks.Reap(gone);
        Add(kernel.Cgroups.Root);
        Add(kernel.Cgroups.Create("group"));
        Add(new Cpumask(kernel));
        Add(new Widget(kernel));
        Add(new Sock(kernel, FlowTuple.Between(new(1, 2), new(3, 4), 6)));
        kernel.Quiesce();
        Add(KernelRef.TryAcquire(child));
        Add(KernelRef.TryAcquire(kernel.Cgroups.Root));
        AddNumber(child.Address);
        AddNumber(gone.Address);
        AddNumber(kernel.Cgroups.Root.Address);
    }

    private void AddMaps(KernelModel kernel)
    {
        Add(new HashMap<int, TaskValue>(kernel, 4));
        Add(new HashMap<long, LockedValue>(kernel, 16, flags: MapFlags.NoPrealloc));
        Add(new ArrayMap<LockedValue>(kernel, 3));
        Add(new ArrayMap<long>(kernel, 3));
        Add(new LruHashMap<int, TaskValue>(kernel, 4));
        Add(new LruPercpuHashMap<int, long>(kernel, 4));
        Add(new PercpuHashMap<int, TaskValue>(kernel, 4));
        Add(new PercpuArrayMap<long>(kernel, 2));
        Add(new LocalStorageMap<TaskStruct, TaskValue>(kernel));
        Add(new LocalStorageMap<Cgroup, long>(kernel));
        Add(new OpenMap(kernel, StructSpec.Of<int, TaskValue>(kernel, "open", BpfMapType.Hash, 4)));
        foreach (var type in Enum.GetValues<BpfMapType>())
        {
            var isStorage = type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.SkStorage
                or BpfMapType.InodeStorage;
            var isRing = type is BpfMapType.Ringbuf or BpfMapType.UserRingbuf or BpfMapType.Arena;
            var isKeyless = type is BpfMapType.Queue or BpfMapType.Stack or BpfMapType.BloomFilter;
            var spec = new MapSpec(type.ToString(), type)
            {
                KeySize = isRing || isKeyless ? 0 : type == BpfMapType.LpmTrie ? 8 : 4,
                ValueSize = isRing ? 0 : type is BpfMapType.Queue or BpfMapType.Hash ? 12 : 4,
                MaxEntries = isStorage ? 0 : type is BpfMapType.Arena or BpfMapType.StructOps ? 1 : isRing ? 4096u : 4,
                Flags = isStorage || type is BpfMapType.LpmTrie or BpfMapType.Rhash ? MapFlags.NoPrealloc
                    : type == BpfMapType.Arena ? MapFlags.Mmapable : MapFlags.None,
                InnerMap = StructSpec.Of<int, long>(kernel, "inner", BpfMapType.Array, 2),
                StructOps = type == BpfMapType.StructOps ? new("ops", []) : null,
            };
            if (MapFactory.TryCreate(kernel, spec, out var map) == Errno.None)
            {
                Add(map);
            }
        }
    }

    private void AddPrograms(KernelModel kernel)
    {
        foreach (var name in Assembly.GetExecutingAssembly()
            .GetManifestResourceNames()
            .Where(n => n.EndsWith(".bpf.o", StringComparison.Ordinal)))
        {
            using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            Add(new ReadOnlyMemory<byte>(bytes.ToArray()));
            var obj = BpfObject.Open(bytes.ToArray(), name);
            Add(obj);
            Add(obj.Spec);
            try
            {
                obj.Load(kernel);
            }
            catch (ProgramRejectedException)
            {
                // One of them leaks on purpose.
                continue;
            }

            foreach (var program in obj.Programs.Values)
            {
                Add(program);
                Add(program.Spec);
            }

            foreach (var map in obj.Maps.Values)
            {
                Add(map);
            }
        }
    }

    private sealed class Ring
    {
        private readonly object[] _items = new object[RingMax];
        private int _count;

        internal void Add(object item) =>
            Volatile.Write(ref _items[(uint)(Interlocked.Increment(ref _count) - 1) % RingMax], item);

        internal object? Pick(Random random) => Volatile.Read(ref _items[random.Next(Math.Clamp(_count, 1, RingMax))]);
    }
}
