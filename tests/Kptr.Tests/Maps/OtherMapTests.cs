using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Map types without special fields, and what only one type does.</summary>
public class OtherMapTests
{
    [Theory]
    [InlineData(BpfMapType.Queue, new[] { 1, 2, 3 })]
    [InlineData(BpfMapType.Stack, new[] { 3, 2, 1 })]
    public void QueueAndStack_PopInTheirOrder(BpfMapType type, int[] expected)
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(core, new("q", type) { ValueSize = 4, MaxEntries = 3 });
        for (var i = 1; i <= 3; i++)
        {
            map.ProgPush(Bytes(i), MapUpdateFlags.Any).Should().Be(Errno.None);
        }

        map.ProgPush(Bytes(4), MapUpdateFlags.Any).Should().Be(Errno.E2BIG);
        map.ProgPush(Bytes(4), MapUpdateFlags.NoExist).Should().Be(Errno.EINVAL);
        map.DeleteElem([]).Should().Be(Errno.EINVAL);
        var value = new byte[4];
        foreach (var number in expected)
        {
            map.LookupElem([], value).Should().Be(Errno.None);
            BitConverter.ToInt32(value).Should().Be(number);
            map.LookupAndDeleteElem([], value).Should().Be(Errno.None);
            BitConverter.ToInt32(value).Should().Be(number);
        }

        map.ProgPop(value).Should().Be(Errno.ENOENT);
        value.Should().OnlyContain(b => b == 0);
    }

    [Fact]
    public void Queue_PushExist_DropsTheOldest()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(core, new("q", BpfMapType.Queue) { ValueSize = 4, MaxEntries = 1 });
        map.UpdateElem([], Bytes(1)).Should().Be(Errno.None);
        map.UpdateElem([], Bytes(2), MapUpdateFlags.Exist).Should().Be(Errno.None);
        var value = new byte[4];
        map.ProgPop(value).Should().Be(Errno.None);
        BitConverter.ToInt32(value).Should().Be(2);
    }

    [Fact]
    public void BloomFilter_PushedValues_AreAlwaysFound()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(core, new("b", BpfMapType.BloomFilter) { ValueSize = 4, MaxEntries = 1000 });
        Enumerable.Range(0, 1000).All(i => map.ProgPush(Bytes(i), MapUpdateFlags.Any) == Errno.None).Should().BeTrue();
        Enumerable.Range(0, 1000).All(i => map.ProgPeek(Bytes(i)) == Errno.None).Should().BeTrue();
        Enumerable.Range(1000, 1000).Count(i => map.ProgPeek(Bytes(i)) == Errno.None).Should().BeLessThan(150);
        map.DeleteElem([]).Should().Be(Errno.EOPNOTSUPP);
    }

    [Fact]
    public void LpmTrie_Lookup_FindsTheLongestPrefix()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(core, new("t", BpfMapType.LpmTrie)
        {
            KeySize = 8, ValueSize = 4, MaxEntries = 3, Flags = MapFlags.NoPrealloc,
        });
        map.UpdateElem(Prefix(8, 10, 0, 0, 0), Bytes(8)).Should().Be(Errno.None);
        map.UpdateElem(Prefix(16, 10, 1, 0, 0), Bytes(16)).Should().Be(Errno.None);
        map.UpdateElem(Prefix(0, 0, 0, 0, 0), Bytes(0)).Should().Be(Errno.None);
        map.UpdateElem(Prefix(24, 10, 1, 2, 0), Bytes(24)).Should().Be(Errno.ENOSPC);
        map.UpdateElem(Prefix(33, 0, 0, 0, 0), Bytes(0)).Should().Be(Errno.EINVAL);
        Find(10, 1, 2, 3).Should().Be(16);
        Find(10, 2, 2, 3).Should().Be(8);
        Find(11, 0, 0, 1).Should().Be(0);
        map.DeleteElem(Prefix(16, 10, 1, 0, 0)).Should().Be(Errno.None);
        map.DeleteElem(Prefix(16, 10, 1, 0, 0)).Should().Be(Errno.ENOENT);
        Find(10, 1, 2, 3).Should().Be(8);
        core.Quiesce();
        map.TakeCensus().IsComplete.Should().BeTrue();

        int Find(byte a, byte b, byte c, byte d)
        {
            var value = new byte[4];
            map.LookupElem(Prefix(32, a, b, c, d), value).Should().Be(Errno.None);
            return BitConverter.ToInt32(value);
        }
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task RingBuf_ConsumerThatSawTheOldestUnfinished_IsWokenWhenItIsSubmitted(bool isQuiet)
    {
        using var core = MapKernel.Boot();
        using var map = (RingBufMap)MapFactory.Create(core, new("r", BpfMapType.Ringbuf) { MaxEntries = 4096 });
        var kept = map.Reserve(4);
        map.Output(Bytes(2)).Should().Be(Errno.None);
        await using var records = map.ReadAllAsync<int>().GetAsyncEnumerator();
        var waiting = records.MoveNextAsync().AsTask();
        waiting.IsCompleted.Should().BeFalse();

        map.Commit(kept, isDiscarded: true, isQuiet ? RingWakeup.No : RingWakeup.Default);

        (await waiting.WaitAsync(TimeSpan.FromSeconds(30))).Should().BeTrue();
        records.Current.Value.Should().Be(2);
    }

    [Fact]
    public unsafe void RingBuf_RecordsOverTheEnd_ComeOutWholeAndInOrder()
    {
        using var core = MapKernel.Boot();
        using var map = (RingBufMap)MapFactory.Create(core, new("r", BpfMapType.Ringbuf) { MaxEntries = 4096 });
        for (var round = 0; round < 50; round++)
        {
            var kept = map.Reserve(1000);
            new Span<byte>((void*)kept, 1000).Fill((byte)round);
            map.Commit(map.Reserve(500), isDiscarded: true);
            map.Output(Bytes(round)).Should().Be(Errno.None);
            map.TryRead(out _).Should().BeFalse("the oldest is not submitted");
            map.Commit(kept, isDiscarded: false);
            map.TryRead(out var record).Should().BeTrue();
            record.Should().HaveCount(1000).And.OnlyContain(b => b == (byte)round);
            map.TryRead(out record).Should().BeTrue();
            record.Should().Equal(Bytes(round));
        }

        map.Reserve(4096).Should().Be(0, "the header has to fit too");
        map.AvailableBytes.Should().Be(0);
        map.UpdateElem([], []).Should().Be(Errno.ENOTSUPP);
    }

    /// <summary>Random lengths, some records late or discarded, against a list of all that was reserved.</summary>
    [Fact]
    public void RingBuf_ThatOverwrites_KeepsTheNewestAndNeverWhatIsNotSubmitted()
    {
        const int Size = 4096;
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        using var map = (RingBufMap)MapFactory.Create(
            core, new("r", BpfMapType.Ringbuf) { MaxEntries = Size, Flags = MapFlags.RbOverwrite });
        var random = new Random(7);
        var records = new List<(int Value, int Bytes, bool IsDiscarded)>();
        var open = new Queue<(int Index, ulong At)>();
        var (next, lost, refused) = (0, 0, 0);
        for (var step = 0; step < 4_000; step++)
        {
            switch (random.Next(4))
            {
                case 0 when open.TryDequeue(out var late):
                    map.Commit(late.At, records[late.Index].IsDiscarded);
                    break;
                case 1 when map.TryRead(out var record):
                    var oldest = Oldest();
                    lost += oldest - next;
                    next = records.FindIndex(oldest, r => !r.IsDiscarded) + 1;
                    BitConverter.ToInt32(record).Should().Be(records[next - 1].Value, $"step {step}");
                    break;
                default:
                    Reserve(step);
                    break;
            }
        }

        lost.Should().BeGreaterThan(500);
        refused.Should().BeGreaterThan(50);
        map.Query(4).Should().Be((ulong)records.Take(Kept()).Sum(r => r.Bytes));

        void Reserve(int value)
        {
            var length = random.Next(4, 600);
            var bytes = (length + 15) & ~7;
            var at = map.Reserve((ulong)length);
            var first = open.TryPeek(out var late) ? late.Index : records.Count;
            var fits = records.Skip(first).Sum(r => r.Bytes) + bytes < Size;
            (at != 0).Should().Be(fits, $"step {value}");
            refused += fits ? 0 : 1;
            if (!fits)
            {
                return;
            }

            Write(at, value);
            records.Add((value, bytes, random.Next(4) == 0));
            if (random.Next(3) == 0 && open.Count < 4)
            {
                open.Enqueue((records.Count - 1, at));
                return;
            }

            map.Commit(at, records[^1].IsDiscarded);
        }

        // The first of the newest records that fit together.
        int Kept()
        {
            var (i, sum) = (records.Count, 0);
            while (i > 0 && sum + records[i - 1].Bytes < Size)
            {
                sum += records[--i].Bytes;
            }

            return i;
        }

        int Oldest() => Math.Max(next, Kept());

        static unsafe void Write(ulong at, int value) => *(int*)at = value;
    }

    [Fact]
    public void RingBuf_ThatOverwrites_IsNoneOf6_12()
    {
        using var core = MapKernel.Boot();
        var spec = new MapSpec("r", BpfMapType.Ringbuf) { MaxEntries = 4096, Flags = MapFlags.RbOverwrite };
        MapFactory.TryCreate(core, spec, out _).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void ProgArray_LastUserReference_EmptiesIt()
    {
        using var core = MapKernel.Boot();
        var map = (ProgArrayMap)MapFactory.Create(
            core, new("p", BpfMapType.ProgArray) { KeySize = 4, ValueSize = 4, MaxEntries = 2 });
        map.Set(1, "program").Should().Be(Errno.None);
        map.Set(2, "program").Should().Be(Errno.E2BIG);
        map.TargetAt(1).Should().Be("program");
        map.ProgUpdate(Bytes(1), Bytes(1), MapUpdateFlags.Any, 0).Should().Be(Errno.EINVAL);
        map.Hold();
        map.Dispose();
        map.TargetAt(1).Should().BeNull();
        map.Put();
        core.Quiesce();
        map.IsFreed.Should().BeTrue();
    }

    [Fact]
    public void CpuMap_TakesPossibleCpus_ByTheSizeOfTheirQueue()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(
            core, new("c", BpfMapType.Cpumap) { KeySize = 4, ValueSize = 8, MaxEntries = 4 });
        var lastCpu = core.PossibleCpus[^1];

        map.UpdateElem(Bytes(0), Queue(64)).Should().Be(Errno.None);
        map.UpdateElem(Bytes(4), Queue(64)).Should().Be(Errno.E2BIG);
        map.UpdateElem(Bytes(lastCpu + 1), Queue(64)).Should().Be(Errno.ENODEV);
        map.UpdateElem(Bytes(0), Queue(16385)).Should().Be(Errno.EOVERFLOW);
        map.UpdateElem(Bytes(0), Queue(64), MapUpdateFlags.NoExist).Should().Be(Errno.EEXIST);
        map.UpdateElem(Bytes(0), Queue(64, prog: 3)).Should().Be(Errno.ENOMEM, "what Linux says of a bad program");
        var value = new byte[8];
        map.LookupElem(Bytes(0), value).Should().Be(Errno.None);
        value.Should().Equal(Queue(64));
        map.UpdateElem(Bytes(0), Queue(0)).Should().Be(Errno.None, "no queue takes the CPU out");
        map.LookupElem(Bytes(0), value).Should().Be(Errno.ENOENT);
        map.DeleteElem(Bytes(0)).Should().Be(Errno.None);
        map.DeleteElem(Bytes(4)).Should().Be(Errno.EINVAL);
        core.Quiesce();
        map.TakeCensus().IsComplete.Should().BeTrue();

        static byte[] Queue(int size, int prog = 0) => [.. Bytes(size), .. Bytes(prog)];
    }

    [Fact]
    public void DevMapHash_CountsItsEntries_AndWalksThem()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(
            core, new("d", BpfMapType.DevmapHash) { KeySize = 4, ValueSize = 4, MaxEntries = 2 });

        map.UpdateElem(Bytes(700), Bytes(0)).Should().Be(Errno.EINVAL);
        map.UpdateElem(Bytes(700), Bytes(1)).Should().Be(Errno.None);
        map.UpdateElem(Bytes(700), Bytes(1), MapUpdateFlags.NoExist).Should().Be(Errno.EEXIST);
        map.UpdateElem(Bytes(-1), Bytes(1)).Should().Be(Errno.None);
        map.UpdateElem(Bytes(5), Bytes(1)).Should().Be(Errno.E2BIG);
        var next = new byte[4];
        map.GetNextKey([], next).Should().Be(Errno.None);
        next.Should().Equal(Bytes(700));
        map.GetNextKey(Bytes(700), next).Should().Be(Errno.None);
        next.Should().Equal(Bytes(-1));
        map.GetNextKey(Bytes(-1), next).Should().Be(Errno.ENOENT);
        map.DeleteElem(Bytes(700)).Should().Be(Errno.None);
        map.DeleteElem(Bytes(700)).Should().Be(Errno.ENOENT);
        core.Quiesce();
        map.TakeCensus().IsComplete.Should().BeTrue();
    }

    [Theory]
    [InlineData(BpfMapType.Xskmap, 4, Errno.EBADF, Errno.EOPNOTSUPP, Errno.None)]
    [InlineData(BpfMapType.ReuseportSockarray, 8, Errno.EBADF, Errno.ENOENT, Errno.ENOENT)]
    [InlineData(BpfMapType.StackTrace, 8, Errno.EINVAL, Errno.ENOENT, Errno.ENOENT)]
    public void MapThatStaysEmpty_AnswersAsAnEmptyOneInLinux(
        BpfMapType type, int valueSize, Errno update, Errno lookup, Errno delete)
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(
            core, new("m", type) { KeySize = 4, ValueSize = valueSize, MaxEntries = 2 });

        map.UpdateElem(Bytes(0), new byte[valueSize]).Should().Be(update);
        map.LookupElem(Bytes(0), new byte[valueSize]).Should().Be(lookup);
        map.DeleteElem(Bytes(0)).Should().Be(delete);
    }

    [Fact]
    public void Lru_KeysThatAreLookedUp_OutliveThoseThatAreNot()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(
            core, new("l", BpfMapType.LruHash) { KeySize = 4, ValueSize = 8, MaxEntries = 64 });
        for (var key = 0; key < 1000; key++)
        {
            map.UpdateElem(Bytes(key), new byte[8]).Should().Be(Errno.None);
            map.ProgLookup(Bytes(0), 0);
            map.ProgLookup(Bytes(1), 0);
        }

        map.ProgLookup(Bytes(0), 0).Should().NotBe(0);
        map.ProgLookup(Bytes(1), 0).Should().NotBe(0);
        map.ProgLookup(Bytes(2), 0).Should().Be(0);
        map.TakeCensus().Should().Match<MapCensus>(c => c.IsComplete && c.Live <= 64);
    }

    [Fact]
    public void LruOwnLists_FullCpu_EvictsItsOwnOldest()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(core,
            new("l", BpfMapType.LruHash) { KeySize = 4, ValueSize = 8, MaxEntries = 5, Flags = MapFlags.NoCommonLru });
        map.MaxEntries.Should().Be(6, "each CPU has the same number");
        for (var key = 0; key < 4; key++)
        {
            map.ProgUpdate(Bytes(key), new byte[8], MapUpdateFlags.Any, cpu: 1).Should().Be(Errno.None);
        }

        map.LookupElem(Bytes(0), new byte[8]).Should().Be(Errno.ENOENT);
        map.LookupElem(Bytes(3), new byte[8]).Should().Be(Errno.None);
    }

    [Fact]
    public void Rhash_GrowsAndShrinksWithItsContent()
    {
        using var core = MapKernel.Boot(DestroyBehavior.Recycle);
        using var map = (RhashMap)MapFactory.Create(core, new("r", BpfMapType.Rhash)
        {
            KeySize = 4, ValueSize = 8, MaxEntries = 5000, Flags = MapFlags.NoPrealloc,
        });
        var small = map.BucketCount;
        for (var key = 0; key < 5000; key++)
        {
            map.UpdateElem(Bytes(key), BitConverter.GetBytes((long)key)).Should().Be(Errno.None);
        }

        map.UpdateElem(Bytes(5000), new byte[8]).Should().Be(Errno.E2BIG);
        map.BucketCount.Should().BeGreaterThan(5000);
        var value = new byte[8];
        for (var key = 0; key < 5000; key++)
        {
            map.LookupElem(Bytes(key), value).Should().Be(Errno.None);
            BitConverter.ToInt64(value).Should().Be(key);
            map.DeleteElem(Bytes(key)).Should().Be(Errno.None);
        }

        map.BucketCount.Should().BeLessThan(small * 8);
        core.Quiesce();
        map.TakeCensus().Should().Match<MapCensus>(c => c.IsComplete && c.Live == 0);
    }

    [Theory]
    [InlineData(BpfMapType.TaskStorage)]
    [InlineData(BpfMapType.CgrpStorage)]
    [InlineData(BpfMapType.SkStorage)]
    [InlineData(BpfMapType.InodeStorage)]
    public void Storage_OwnerByItsNumber_CostsTheSameHoweverManyObjectsThereAre(BpfMapType type)
    {
        using var core = MapKernel.Boot();
        using var map = new LocalStorageMap(core, StructSpec.Of<int, Plain24>(core, "s", type, 0, MapFlags.NoPrealloc));
        KernelObject owner = type switch
        {
            BpfMapType.TaskStorage => core.Tasks.Init,
            BpfMapType.CgrpStorage => core.Cgroups.Root,
            BpfMapType.SkStorage => new Sock(core, default),
            _ => new Widget(core),
        };
        map.Update(owner, default).Should().Be(Errno.None);
        var key = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(key, owner switch
        {
            TaskStruct task => task.Pid,
            Cgroup cgroup => (int)cgroup.Id,
            _ => (int)owner.Address,
        });
        var few = BytesOfLookup(map, key);
        var others = Enumerable.Range(0, 3000).Select(_ => new Widget(core)).ToList();
        BytesOfLookup(map, key).Should().Be(few, $"{others.Count} others are not looked at");
    }

    // A walk over objects allocates; what a look-up allocates tells without a clock whether there was one.
    private static long BytesOfLookup(BpfMap map, byte[] key)
    {
        var value = new byte[map.UserValueSize];
        map.LookupElem(key, value).Should().Be(Errno.None);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++)
        {
            map.LookupElem(key, value);
        }

        return (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
    }

    [Fact]
    public void ArrayOfMaps_OtherShape_IsRefused()
    {
        using var core = MapKernel.Boot();
        var shape = new MapSpec("in", BpfMapType.Array) { KeySize = 4, ValueSize = 8, MaxEntries = 2 };
        var outer = (ArrayOfMaps)MapFactory.Create(
            core, new("out", BpfMapType.ArrayOfMaps) { KeySize = 4, ValueSize = 4, MaxEntries = 1, InnerMap = shape });
        using var fits = MapFactory.Create(core, shape);
        using var longer = MapFactory.Create(core, shape with { MaxEntries = 3 });
        using var other = MapFactory.Create(core, shape with { Type = BpfMapType.PercpuArray });
        outer.Set(0, longer).Should().Be(Errno.EINVAL);
        outer.Set(0, other).Should().Be(Errno.EINVAL);
        outer.UpdateElem(Bytes(0), Bytes(123456)).Should().Be(Errno.EBADF);
        outer.Set(1, fits).Should().Be(Errno.E2BIG);
        outer.Set(0, fits).Should().Be(Errno.None);
        var id = new byte[4];
        outer.LookupElem(Bytes(0), id).Should().Be(Errno.None);
        BitConverter.ToInt32(id).Should().Be(fits.Id);
        outer.DeleteElem(Bytes(0)).Should().Be(Errno.None);
        outer.DeleteElem(Bytes(0)).Should().Be(Errno.ENOENT);
        MapFactory.TryCreate(core, outer.Spec with { InnerMap = outer.Spec }, out _).Should().Be(Errno.EINVAL);
        MapFactory.TryCreate(core, outer.Spec with { InnerMap = null }, out _).Should().Be(Errno.EBADF);
        outer.FreeNow();
    }

    [Fact]
    public void FrozenDataSection_UserSpaceCannotWrite()
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(core, new(".rodata", BpfMapType.Array)
        {
            KeySize = 4, ValueSize = 4, MaxEntries = 1, Flags = MapFlags.RdOnlyProg, InitialValue = [
                1, 2, 3, 4,
            ], Frozen = true,
        });
        map.IsFrozen.Should().BeTrue();
        map.UpdateElem(Bytes(0), Bytes(0)).Should().Be(Errno.EPERM);
        map.Freeze().Should().Be(Errno.EPERM);
        map.DirectValueAddress(2, out var address).Should().Be(Errno.None);
        unsafe
        {
            (*(byte*)address).Should().Be(3);
        }

        map.DirectValueAddress(4, out _).Should().Be(Errno.EINVAL);
    }

    [Theory]
    [InlineData(MapFlags.RdOnly, Errno.None, Errno.EPERM)]
    [InlineData(MapFlags.WrOnly, Errno.EPERM, Errno.None)]
    public void AccessFlags_LimitUserSpaceOnly(MapFlags flags, Errno read, Errno write)
    {
        using var core = MapKernel.Boot();
        using var map = MapFactory.Create(
            core, new("a", BpfMapType.Array) { KeySize = 4, ValueSize = 4, MaxEntries = 1, Flags = flags });
        map.LookupElem(Bytes(0), new byte[4]).Should().Be(read);
        map.UpdateElem(Bytes(0), Bytes(7)).Should().Be(write);
        map.ProgUpdate(Bytes(0), Bytes(7), MapUpdateFlags.Any, 0).Should().Be(Errno.None);
    }

    private static byte[] Bytes(int number) => BitConverter.GetBytes(number);

    private static byte[] Prefix(int length, params byte[] address)
    {
        var key = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(key, length);
        address.CopyTo(key, 4);
        return key;
    }
}
