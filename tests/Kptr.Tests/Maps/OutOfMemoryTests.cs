using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>
/// Each hash loses its memory at each place where it asks for some: no bucket stays locked, no element is lost, no
/// reference is lost or given back twice. And under a bucket's lock none asks.
/// </summary>
public class OutOfMemoryTests
{
    private const int Capacity = 180;
    private const int Keys = 200;
    private const int PlacesTried = 15;
    private const int AgainMax = 5;
    private const string Memory = "alloc_map_memory";
    private static readonly TimeSpan HangTime = TimeSpan.FromMinutes(2);

    public static TheoryData<BpfMapType, MapFlags, DestroyBehavior> Kinds => new()
    {
        { BpfMapType.Hash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.Hash, MapFlags.None, DestroyBehavior.Recycle },
        { BpfMapType.Hash, MapFlags.NoPrealloc, DestroyBehavior.Eager },
        { BpfMapType.Hash, MapFlags.NoPrealloc, DestroyBehavior.Recycle },
        { BpfMapType.PercpuHash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.PercpuHash, MapFlags.NoPrealloc, DestroyBehavior.Eager },
        { BpfMapType.LruHash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.LruHash, MapFlags.NoCommonLru, DestroyBehavior.Recycle },
        { BpfMapType.LruPercpuHash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.Rhash, MapFlags.NoPrealloc, DestroyBehavior.Recycle },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task OutOfMemory_AtEachAllocation_LeavesTheMapWhole(
        BpfMapType type, MapFlags flags, DestroyBehavior policy)
    {
        var places = (int)(await RunUntilDone(type, flags, policy, int.MaxValue)).PassesOf(Memory);
        var step = Math.Max(1, places / PlacesTried);
        for (var nth = 1; nth <= places; nth += step)
        {
            var plan = await RunUntilDone(type, flags, policy, nth);
            plan.Injected.Should().ContainSingle($"allocation {nth} of {places} failed");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Operations_UnderABucketsLock_AllocateNothing(BpfMapType type, MapFlags flags, DestroyBehavior policy)
    {
        // Wherever a collection comes, the runtime counts the rest of the thread's allocation context as allocated.
        // What code allocates is there each time: what was found is asked again, of a new map.
        var found = Allocations(type, flags, policy);
        for (var again = 0; found.Count > 0 && again < AgainMax; again++)
        {
            var next = Allocations(type, flags, policy);
            found = found.Where(f => next.ContainsKey(f.Key)).ToDictionary();
        }

        found.Should().BeEmpty();
    }

    [Fact]
    public void Meter_SeesWhatIsAllocatedUnderABucketsLockAlone()
    {
        var meter = new Meter(new());
        byte[]? last = null;
        for (var i = 1; i <= 3; i++)
        {
            meter.Observe(LockRank.Bucket, isEntering: true);
            meter.Observe(LockRank.Slab, isEntering: true);
            last = i == 2 ? new byte[10] : last;
            meter.Observe(LockRank.Slab, isEntering: false);
            meter.Observe(LockRank.Bucket, isEntering: false);
            last = new byte[10];
        }

        meter.Found.Should().ContainKey(2);
        meter.Found[2].Should().Contain("after (Slab, True)");
        GC.KeepAlive(last);
    }

    // By the number of the lock, of all that one thread takes: the same in each run.
    private static Dictionary<int, string> Allocations(BpfMapType type, MapFlags flags, DestroyBehavior policy)
    {
        var plan = new FaultPlan();
        using var run = new Run(type, flags, policy, LedgerLevel.Sites, plan);
        plan.Fail(Memory, int.MaxValue);
        run.AllOperations();
        var meter = new Meter(plan);
        HeldLocks.OfThisThread.Observer = meter.Observe;
        try
        {
            run.AllOperations();
        }
        finally
        {
            HeldLocks.OfThisThread.Observer = null;
        }

        meter.LocksTaken.Should().BePositive();
        meter.Asked.Should().Be(0, "memory is asked for before the lock, even where a pool has some");
        run.End();
        return meter.Found;
    }

    // On a thread of its own, so that a bucket that stays locked is a failure and no hang.
    private static Task<FaultPlan> RunUntilDone(
        BpfMapType type, MapFlags flags, DestroyBehavior policy, int nthAllocation) =>
        Task.Run(() =>
        {
            var plan = new FaultPlan();
            using var run = new Run(type, flags, policy, LedgerLevel.Counts, plan);
            plan.Fail(Memory, nthAllocation);
            run.AllOperations();
            run.End();
            return plan;
        }).WaitAsync(HangTime);

    private sealed class Meter(FaultPlan plan)
    {
        private (LockRank Rank, bool IsEntering) _last;
        private long _since;
        private long _asked;
        private bool _isIn;

        internal int LocksTaken { get; private set; }

        /// <summary>How often the map asked for memory under a bucket's lock.</summary>
        internal long Asked { get; private set; }

        /// <summary>Under which locks something was allocated, and where.</summary>
        internal Dictionary<int, string> Found { get; } = [];

        internal void Observe(LockRank rank, bool isEntering)
        {
            var bytes = GC.GetAllocatedBytesForCurrentThread() - _since;
            if (_isIn && bytes > 0)
            {
                Found[LocksTaken] = $"{bytes} bytes after {_last} and before {(rank, isEntering)}\n"
                    + $"{Environment.StackTrace}\n{Found.GetValueOrDefault(LocksTaken)}";
            }

            if (rank == LockRank.Bucket)
            {
                LocksTaken += isEntering ? 1 : 0;
                Asked += isEntering ? 0 : plan.PassesOf(Memory) - _asked;
                _asked = plan.PassesOf(Memory);
                _isIn = isEntering;
            }

            _last = (rank, isEntering);
            _since = GC.GetAllocatedBytesForCurrentThread();
        }
    }

    private sealed class Run : IDisposable
    {
        private readonly KernelCore _core;
        private readonly StrongBox<long> _gone = new();
        private readonly int _fields;
        private long _made;

        // More special fields than are collected without memory: six in a slot.
        internal Run(
            BpfMapType type, MapFlags flags, DestroyBehavior policy, LedgerLevel level, FaultPlan? plan = null)
        {
            _core = MapKernel.Boot(policy, level: level, faults: plan);
            _fields = type is BpfMapType.PercpuHash or BpfMapType.LruPercpuHash ? 3 : 6;
            var fields = Enumerable.Range(0, _fields).Select(
                i => new BtfField(BtfFieldKind.KptrRef, $"p{i}", 8 + (8 * i), 8));
            Map = (HashMapBase)MapFactory.Create(_core, new("hungry", type)
            {
                KeySize = 4,
                ValueSize = 8 + (8 * _fields),
                MaxEntries = Capacity,
                Flags = flags,
                Record = new([.. fields]),
            });
        }

        internal HashMapBase Map { get; }

        public void Dispose() => _core.Dispose();

        internal void AllOperations()
        {
            var user = new byte[Map.UserValueSize];
            var rounds = new Action<int>[]
            {
                key => Map.UpdateElem(BitConverter.GetBytes(key), user),
                Store,
                key => Map.ProgUpdate(
                    BitConverter.GetBytes(key), user.AsSpan(0, Map.ValueSize), MapUpdateFlags.Any, key & 1),
                Store,
                key => Map.UpdateElem(BitConverter.GetBytes(key), user, (key & 1) == 0
                    ? MapUpdateFlags.Exist
                    : MapUpdateFlags.NoExist),
                key => Map.LookupElem(BitConverter.GetBytes(key), user),
                Store,
                key => _ = (key & 1) == 0
                    ? Map.ProgDelete(BitConverter.GetBytes(key), 0)
                    : Map.DeleteElem(BitConverter.GetBytes(key)),
                key => Map.UpdateElem(BitConverter.GetBytes(key), user),
                Store,
                key => _ = (key % 3) == 0 ? Map.LookupAndDeleteElem(BitConverter.GetBytes(key), user) : Errno.None,
                _ => TakeBatch(),
            };
            foreach (var round in rounds)
            {
                for (var key = 0; key < Keys; key++)
                {
                    _core.CurrentCpu = key & 1;
                    Try(() => round(key));
                }

                _core.Quiesce();
            }
        }

        internal void End()
        {
            AssertUnlocked();
            Map.TakeCensus().Should().Match<MapCensus>(c => c.IsComplete);
            Map.FreeNow();
            _gone.Value.Should().Be(_made);
            _core.Faults.Should().BeEmpty();
        }

        private void Try(Action operation)
        {
            try
            {
                operation();
            }
            catch (OutOfMemoryException)
            {
                AssertUnlocked();
            }
        }

        private unsafe void AssertUnlocked()
        {
            for (var i = 0L; i < Map.Table.BucketCount; i++)
            {
                (Map.Table.Buckets[i].Lock.Read() & 1).Should().Be(0, $"bucket {i} is not locked");
            }
        }

        private unsafe void Store(int key)
        {
            using var reader = _core.Rcu.ReadLock();
            var value = Map.ProgLookup(BitConverter.GetBytes(key), key & 1);
            for (var i = 0; value != 0 && i < _fields; i++)
            {
                var made = new Counted(_core, _gone);
                _made++;
                Unsafe.AsRef<Kptr<Counted>>((void*)(value + 8 + (8 * (ulong)i)))
                    .Exchange(KernelRef.Own(made))
                    ?.Release();
            }
        }

        private void TakeBatch()
        {
            var count = 16;
            Span<byte> cursor = stackalloc byte[Map.BatchCursorSize];
            Map.LookupAndDeleteBatch(
                default, cursor, new byte[count * Map.KeySize], new byte[count * Map.UserValueSize], ref count);
        }
    }

    private sealed class Counted(KernelCore core, StrongBox<long> gone)
        : KernelObject(core, "counted", "usage.refs.counter")
    {
        protected override void OnFree() => Interlocked.Increment(ref gone.Value);
    }
}
