using System.Diagnostics;
using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>What others see of a resizable hash while its buckets are replaced.</summary>
public class RhashResizeTests
{
    private const int Entries = 500;

    [Fact]
    public void Resize_BucketsThatSomebodyMayStillRead_StayAsLongAsTheMap()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = Create(core);
        var first = BucketsOf(map);
        for (var key = 0; key < Entries; key++)
        {
            map.UpdateElem(BitConverter.GetBytes(key), new byte[8]).Should().Be(Errno.None);
        }

        map.BucketCount.Should().BeGreaterThan(Entries);
        Collect();
        first.IsAlive.Should().BeTrue("a reader may hold a pointer into it");
        GC.KeepAlive(map);
        map.FreeNow();
    }

    [Fact]
    public void Lookup_WhileOthersGrowAndShrinkTheMap_AlwaysFindsWhatIsThere()
    {
        const int There = -1;
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        var map = Create(core);
        map.UpdateElem(BitConverter.GetBytes(There), new byte[8]);
        long missed = 0, looked = 0, resized = 0;
        var isDone = false;
        var reader = new Thread(() =>
        {
            var value = new byte[8];
            while (!Volatile.Read(ref isDone))
            {
                looked++;
                missed += map.LookupElem(BitConverter.GetBytes(There), value) == Errno.None ? 0 : 1;
                using var section = core.Rcu.ReadLock();
                missed += map.ProgLookup(BitConverter.GetBytes(There), 0) != 0 ? 0 : 1;
            }
        });
        reader.Start();
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(0.3)
            || resized < 4;)
        {
            resized += FillAndEmpty(map);
            core.Quiesce();
        }

        Volatile.Write(ref isDone, true);
        reader.Join();
        looked.Should().BePositive();
        missed.Should().Be(0, $"of {looked} look-ups beside {resized} resizes");
        map.TakeCensus().Should().Match<MapCensus>(c => c.IsComplete);
        map.FreeNow();
    }

    private static RhashMap Create(KernelCore core) =>
        (RhashMap)MapFactory.Create(core, new("resized", BpfMapType.Rhash)
        {
            KeySize = 4,
            ValueSize = 8,
            MaxEntries = 2 * Entries,
            Flags = MapFlags.NoPrealloc,
        });

    // How often the buckets were replaced.
    private static int FillAndEmpty(RhashMap map)
    {
        var (resized, buckets) = (0, map.BucketCount);
        for (var i = 0; i < 2 * Entries; i++)
        {
            var key = BitConverter.GetBytes(i % Entries);
            _ = i < Entries ? map.UpdateElem(key, new byte[8]) : map.DeleteElem(key);
            resized += map.BucketCount != buckets ? 1 : 0;
            buckets = map.BucketCount;
        }

        return resized;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference BucketsOf(RhashMap map) => new(map.Table.Memory);

    private static void Collect()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
