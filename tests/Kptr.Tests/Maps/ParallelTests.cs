using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>
/// Two threads of random operations over each type: nothing lost, nothing doubled, no torn value. Short by default;
/// <c>KPTR_PARALLEL_SECONDS</c> gives the time per type, <c>KPTR_SEED</c> the seed.
/// </summary>
public class ParallelTests
{
    private const int Keys = 24;
    private static readonly double Seconds = Number("KPTR_PARALLEL_SECONDS", 0.25);
    private static readonly int Seed = (int)Number("KPTR_SEED", 20261122);

    public static TheoryData<BpfMapType, MapFlags, DestroyBehavior> Kinds => new()
    {
        { BpfMapType.Array, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.Array, MapFlags.None, DestroyBehavior.Recycle },
        { BpfMapType.PercpuArray, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.Hash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.Hash, MapFlags.None, DestroyBehavior.Recycle },
        { BpfMapType.Hash, MapFlags.NoPrealloc, DestroyBehavior.Eager },
        { BpfMapType.Hash, MapFlags.NoPrealloc, DestroyBehavior.Recycle },
        { BpfMapType.PercpuHash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.PercpuHash, MapFlags.NoPrealloc, DestroyBehavior.Eager },
        { BpfMapType.PercpuHash, MapFlags.NoPrealloc, DestroyBehavior.Recycle },
        { BpfMapType.LruHash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.LruHash, MapFlags.NoCommonLru, DestroyBehavior.Recycle },
        { BpfMapType.LruPercpuHash, MapFlags.None, DestroyBehavior.Eager },
        { BpfMapType.LruPercpuHash, MapFlags.NoCommonLru, DestroyBehavior.Recycle },
        { BpfMapType.Rhash, MapFlags.NoPrealloc, DestroyBehavior.Recycle },
        { BpfMapType.TaskStorage, MapFlags.NoPrealloc, DestroyBehavior.Eager },
        { BpfMapType.CgrpStorage, MapFlags.NoPrealloc, DestroyBehavior.Recycle },
        { BpfMapType.SkStorage, MapFlags.NoPrealloc, DestroyBehavior.Eager },
        { BpfMapType.InodeStorage, MapFlags.NoPrealloc, DestroyBehavior.Eager },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void RandomOperations_OnTwoThreads_LoseAndDoubleNothing(
        BpfMapType type, MapFlags flags, DestroyBehavior policy)
    {
        var profile = policy == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2;
        using var core = new KernelCore(TestKernel.Spec with { Profile = profile });
        var map = MapFactory.Create(core, new("parallel", type)
        {
            KeySize = 4,
            ValueSize = 32,
            MaxEntries = IsStorage(type) ? 0u : Keys - 4,
            Flags = flags,
            Record = new([new(BtfFieldKind.KptrRef, "p", 24, 8)]),
        });
        var made = 0L;
        var gone = new StrongBox<long>();
        var torn = 0L;
        var owners = Enumerable.Range(0, IsStorage(type) ? Keys : 0)
            .Select(i => NumberOfOwner(core, type, i))
            .ToArray();
        var until = Stopwatch.GetTimestamp() + (long)(Seconds * Stopwatch.Frequency);
        RunOnTwoThreads(cpu =>
        {
            core.CurrentCpu = cpu;
            var random = new Random(Seed + cpu);
            var user = new byte[map.UserValueSize];
            var ops = 0;
            while ((++ops & 63) != 0 || Stopwatch.GetTimestamp() < until)
            {
                var index = random.Next(Keys);
                var key = BitConverter.GetBytes(owners.Length > 0 ? owners[index] : index);
                switch (random.Next(8))
                {
                    case 0:
                        Fill(user, random.Next());
                        map.UpdateElem(key, user);
                        break;
                    case 1:
                        Fill(user, random.Next());
                        map.ProgUpdate(key, user.AsSpan(0, 32), MapUpdateFlags.Any, cpu);
                        break;
                    case 2:
                        map.ProgDelete(key, cpu);
                        break;
                    case 3:
                        map.LookupAndDeleteElem(key, user);
                        break;
                    case 4 or 5:
                        using (core.Rcu.ReadLock())
                        {
                            var value = map.ProgLookup(key, cpu);
                            if (value != 0)
                            {
                                Interlocked.Increment(ref made);
                                Exchange(value + 24, new Counted(core, gone))?.Release();
                            }
                        }

                        break;
                    default:
                        if (map.LookupElem(key, user) == Errno.None && CopiesWhole(type) && IsTorn(user))
                        {
                            Interlocked.Increment(ref torn);
                        }

                        break;
                }
            }
        });

        map.TakeCensus().Should().Match<MapCensus>(c => c.IsComplete, $"seed {Seed}");
        torn.Should().Be(0, $"seed {Seed}");
        map.Dispose();
        core.Quiesce();
        core.Quiesce();
        map.IsFreed.Should().BeTrue();
        made.Should().BeGreaterThan(0);
        gone.Value.Should().Be(made, $"seed {Seed}");
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void TypedHash_ReadersAndWriters_NeverSeeAMix()
    {
        using var core = new KernelCore(TestKernel.Spec);
        using var map = new HashMap<int, Plain24>(core, Keys);
        var torn = 0L;
        var until = Stopwatch.GetTimestamp() + (long)(Seconds * Stopwatch.Frequency);
        RunOnTwoThreads(cpu =>
        {
            core.CurrentCpu = cpu;
            var random = new Random(Seed + cpu);
            while (Stopwatch.GetTimestamp() < until)
            {
                for (var i = 0; i < 64; i++)
                {
                    var key = random.Next(Keys);
                    var x = (ulong)random.Next();
                    if (cpu == 0)
                    {
                        _ = (i & 7) == 0 ? map.Delete(key) : map.Update(key, new() { A = x, B = ~x, C = x * 3 });
                    }
                    else if (map.TryGetValue(key, out var value) && (value.B != ~value.A || value.C != value.A * 3))
                    {
                        Interlocked.Increment(ref torn);
                    }
                }
            }
        });
        torn.Should().Be(0, $"seed {Seed}");
        map.TakeCensus().IsComplete.Should().BeTrue();
    }

    // In-place writers tear in Linux too: arrays, the resizable hash, and one CPU's value that its own program writes.
    private static bool CopiesWhole(BpfMapType type) => type is BpfMapType.Hash or BpfMapType.LruHash;

    private static bool IsStorage(BpfMapType type) =>
        type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.SkStorage or BpfMapType.InodeStorage;

    private static int NumberOfOwner(KernelCore core, BpfMapType type, int index) => type switch
    {
        BpfMapType.TaskStorage => core.Tasks.Fork(core.Tasks.Init).Pid,
        BpfMapType.CgrpStorage => (int)core.Cgroups.Create($"group{index}").Id,
        BpfMapType.SkStorage => (int)new Sock(core, new(1, (ushort)(1000 + index), 2, 80, 6)).Address,
        _ => (int)new Widget(core).Address,
    };

    private static void Fill(Span<byte> value, int number)
    {
        foreach (ref var word in MemoryMarshal.Cast<byte, ulong>(value))
        {
            word = (ulong)number;
        }
    }

    private static bool IsTorn(ReadOnlySpan<byte> value)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(value);
        return words[0] != words[1] || words[1] != words[2];
    }

    private static unsafe KernelRef<Counted>? Exchange(ulong slot, Counted next) =>
        Unsafe.AsRef<Kptr<Counted>>((void*)slot).Exchange(KernelRef.Own(next));

    private static void RunOnTwoThreads(Action<int> body)
    {
        var failures = new List<Exception>();
        var threads = Enumerable.Range(0, 2).Select(cpu => new Thread(() =>
        {
            try
            {
                body(cpu);
            }
            catch (Exception e)
            {
                lock (failures)
                {
                    failures.Add(e);
                }
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        failures.Should().BeEmpty();
    }

    private static double Number(string variable, double otherwise) =>
        double.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Float, CultureInfo.InvariantCulture,
            out var number) ? number : otherwise;

    private sealed class Counted(KernelCore core, StrongBox<long> gone)
        : KernelObject(core, "counted", "usage.refs.counter")
    {
        protected override void OnFree() => Interlocked.Increment(ref gone.Value);
    }
}
