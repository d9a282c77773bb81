using System.Runtime.InteropServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>No size, index, key, value or CPU that a caller chooses leads out of a map's memory.</summary>
public class MapBoundsTests
{
    private static readonly BpfMapType[] Sized =
    [
        BpfMapType.Array, BpfMapType.PercpuArray, BpfMapType.Hash, BpfMapType.PercpuHash, BpfMapType.LruHash,
        BpfMapType.LruPercpuHash,
        BpfMapType.ArrayOfMaps, BpfMapType.HashOfMaps, BpfMapType.Queue, BpfMapType.Stack, BpfMapType.ProgArray,
        BpfMapType.PerfEventArray,
    ];

    [Theory]
    [InlineData(3_000_000_000u)]
    [InlineData(uint.MaxValue)]
    [InlineData(1u << 31)]
    [InlineData((1u << 31) + 1)]
    public void Array_OfMoreValuesThanThereIsMemoryFor_IsRefused(uint maxEntries)
    {
        using var kernel = PublicKernel.Boot();
        Action[] make =
        [
            () => new ArrayMap<LongValue>(kernel, maxEntries)[1_000_000].Bytes = 1,
            () => _ = new PercpuArrayMap<LongValue>(kernel, maxEntries),
            () => _ = new HashMap<int, LongValue>(kernel, maxEntries),
            () => _ = new LruHashMap<int, LongValue>(kernel, maxEntries),
            () => _ = new PercpuHashMap<int, LongValue>(kernel, maxEntries),
        ];
        foreach (var each in make)
        {
            each.Should().Throw<MapCreateException>().Which.Errno.Should().BeOneOf(Errno.ENOMEM, Errno.E2BIG);
        }
    }

    [Fact]
    public void Pool_OfMoreSlotsThanThereIsMemoryToFollow_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new PinnedMap(
            kernel, new("empty", BpfMapType.Hash) { KeySize = 4, ValueSize = 0, MaxEntries = 2_054_174_736 });
        var take = () => map.UpdateElem(new byte[4], []);
        take.Should().Throw<MapCreateException>().Which.Errno.Should().Be(Errno.ENOMEM);
    }

    [Theory]
    [InlineData(BpfMapType.Hash)]
    [InlineData(BpfMapType.PercpuHash)]
    [InlineData(BpfMapType.LruHash)]
    [InlineData(BpfMapType.HashOfMaps)]
    public void Hash_OfMoreBucketsThanLinuxCounts_IsTooBig(BpfMapType type)
    {
        using var kernel = PublicKernel.Boot();
        var spec = SpecOf(kernel, type) with { MaxEntries = (1u << 27) + 1 };
        MapRules.Check(spec, kernel.Spec.Profile).Should().Be(Errno.E2BIG);
        MapRules.Check(spec with { MaxEntries = 1u << 27 }, kernel.Spec.Profile).Should().Be(Errno.None);
    }

    [Fact]
    public void EveryConstructor_OfABlueprint_AsksTheRules()
    {
        using var kernel = PublicKernel.Boot();
        foreach (var type in Sized)
        {
            var good = SpecOf(kernel, type);
            MapSpec[] bad =
            [
                good with { MaxEntries = 0 }, good with { MaxEntries = uint.MaxValue }, good with { KeySize = -1 },
                good with { ValueSize = -1 },
                good with { ValueSize = int.MaxValue }, good with { KeySize = int.MaxValue },
                good with { ValueSize = 0 }, good with { InnerMap = null },
                good with { Type = BpfMapType.Arena }, good with { Type = BpfMapType.Unspec },
            ];
            Make(kernel, good, type).Dispose();
            foreach (var spec in bad.Where(s => s != good))
            {
                ((Action)(() => Make(kernel, spec, type))).Should().Throw<MapCreateException>($"{type} of {spec}");
            }
        }
    }

    [Fact]
    public void SpecialField_OutsideOfTheValueOrAcrossAnother_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        BtfField[][] bad =
        [
            [Field(16)], [Field(9)], [Field(-8)], [Field(int.MaxValue - 7)], [Field(4)], [Field(0), Field(0)],
            [Field(8, 4)], [Field(0, 16), Field(8)],
            [Field(0, int.MaxValue)], [new(BtfFieldKind.SpinLock, "lock", 14, 4)],
            [new(BtfFieldKind.ListHead, "head", 8, 8)],
        ];
        foreach (var fields in bad)
        {
            var spec = SpecOf(kernel, BpfMapType.Hash) with { ValueSize = 16, Record = new([.. fields]) };
            ((Action)(() => _ = new HashMap(kernel, spec))).Should().Throw<MapCreateException>();
        }
    }

    [Fact]
    public void Program_WithKeyOrValueOfAnotherSize_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        foreach (var type in Sized.Except([BpfMapType.Queue, BpfMapType.Stack]))
        {
            using var map = MapFactory.Create(kernel, SpecOf(kernel, type));
            foreach (var size in (int[])[0, 3, 5, 100])
            {
                Action[] uses =
                [
                    () => map.ProgLookup(new byte[size], 0), () => map.ProgLookupPercpu(new byte[size], 0),
                    () => map.ProgDelete(new byte[size], 0),
                    () => map.ProgUpdate(new byte[size], new byte[8], MapUpdateFlags.Any, 0),
                    () => map.ProgUpdate(new byte[4], new byte[3], MapUpdateFlags.Any, 0),
                ];
                foreach (var use in uses)
                {
                    use.Should().Throw<ArgumentException>();
                }
            }
        }
    }

    [Fact]
    public void LiveMemory_SeenThroughAStructOfAnotherShape_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        using var pinned = new HashMap<int, Pinned>(kernel, 4);
        using var plain = new HashMap<int, (long, long)>(kernel, 4);
        using var maps = MapFactory.Create(kernel, SpecOf(kernel, BpfMapType.ArrayOfMaps));
        plain.Update(1, (1, 0x1234));
        pinned.Update(1, default);
        Action[] uses =
        [
            () => pinned.As<int, (long, long)>().Lookup(1).Item2 = 0x1234,
            () => pinned.LookupSpan(BitConverter.GetBytes(1))[8] = 1,
            () => plain.As<int, Pinned>().Lookup(1).Task.Peek(),
            () => plain.TryLookup<int, Pinned>(1, out _),
            () => new View<int, LargeValue>(plain).Lookup(1).Last = 1,
            () => new View<Kptr<TaskStruct>, long>(plain).Snapshot(),
            () => new View<int, Pinned>(null!).TryGetValue(1, out _),
            () => maps.As<int, int>().Lookup(0) = 1,
            () => _ = new HashMap<Kptr<TaskStruct>, long>(kernel, 4),
            () => _ = plain.Keys<Kptr<TaskStruct>>().ToList(),
            () => kernel.Tasks.Init.Read<Kptr<TaskStruct>>("real_parent"),
        ];
        for (var i = 0; i < uses.Length; i++)
        {
            uses[i].Should().Throw<Exception>($"use {i}").Which.Should().Match(
                e => e is ArgumentException || e is InvalidOperationException);
        }

        pinned.As<int, Pinned>().Lookup(1).Seen = 3;
        plain.As<int, (long, long)>().Lookup(1).Item2.Should().Be(0x1234);
    }

    [Theory]
    [InlineData("ancestors[5000]")]
    [InlineData("ancestors[-1]")]
    [InlineData("ancestors[2147483647]")]
    [InlineData("ancestors[")]
    [InlineData("ancestors[1")]
    [InlineData("ancestors[x]")]
    [InlineData("")]
    public void Field_OutsideOfItsObject_IsRefused(string path)
    {
        using var kernel = PublicKernel.Boot();
        ((Action)(() => kernel.Cgroups.Root.Read<ulong>(path))).Should().Throw<ArgumentException>();
        ((Action)(() => kernel.Cgroups.Root.Write(path, 1ul))).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Storage_OfAnOwnerOfAnotherKindOrKernel_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        using var other = PublicKernel.Boot();
        using var map = new LocalStorageMap<TaskStruct, long>(kernel);
        ((Action)(() => map.Get(kernel.Cgroups.Root, default, create: true))).Should().Throw<ArgumentException>();
        ((Action)(() => map.LookupOrInit(other.Tasks.Init) = 1)).Should().Throw<ArgumentException>();
        ((Action)(() => map.Update(kernel.Tasks.Init, new byte[3]))).Should().Throw<ArgumentException>();
        map.Snapshot().Should().BeEmpty();
    }

    [Fact]
    public void InnerMap_OfAnotherKernel_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        using var other = PublicKernel.Boot();
        using var inner = new ArrayMap<long>(other, 2);
        using var array = new ArrayOfMaps(kernel, 2, inner.Spec);
        using var hash = new HashOfMaps<int>(kernel, 2, inner.Spec);
        ((Action)(() => array.Set(0, inner))).Should().Throw<ArgumentException>();
        ((Action)(() => hash.Set(0, inner))).Should().Throw<ArgumentException>();
        array.Lookup(uint.MaxValue).Should().BeNull();
    }

    [Fact]
    public void Batch_WithoutRoomForItsCursor_TakesNothing()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new HashMap<int, long>(kernel, 4);
        map.Update(1, 7);
        var count = 4;
        var take = () => map.LookupAndDeleteBatch(default, new byte[3], new byte[16], new byte[32], ref count);
        take.Should().Throw<ArgumentException>();
        map.Count.Should().Be(1);
    }

    private static BtfField Field(int offsetBytes, int sizeBytes = 8) =>
        new(BtfFieldKind.KptrRef, "task", offsetBytes, sizeBytes);

    private static MapSpec SpecOf(KernelCore kernel, BpfMapType type) => new(type.ToString(), type)
    {
        KeySize = type is BpfMapType.Queue or BpfMapType.Stack ? 0 : 4,
        ValueSize = 4,
        MaxEntries = 4,
        InnerMap = type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps
            ? StructSpec.Of<int, long>(kernel, "inner", BpfMapType.Array, 2)
            : null,
    };

    private static BpfMap Make(KernelCore core, MapSpec spec, BpfMapType type) => type switch
    {
        BpfMapType.Array or BpfMapType.PercpuArray => new ArrayMap(core, spec),
        BpfMapType.Hash => new HashMap(core, spec),
        BpfMapType.PercpuHash => new PercpuHashMap(core, spec),
        BpfMapType.LruHash or BpfMapType.LruPercpuHash => new LruHashMap(core, spec),
        BpfMapType.ArrayOfMaps => new ArrayOfMaps(core, spec),
        BpfMapType.HashOfMaps => new HashOfMaps(core, spec),
        BpfMapType.Queue or BpfMapType.Stack => new QueueStackMap(core, spec),
        BpfMapType.ProgArray => new ProgArrayMap(core, spec),
        _ => new PerfEventArrayMap(core, spec),
    };

    private record struct LongValue(long Bytes);

    [StructLayout(LayoutKind.Explicit, Size = 4096)]
    private struct LargeValue
    {
        [FieldOffset(4088)]
        internal long Last;
    }

    private sealed class View<TKey, TValue>(BpfMap map) : ITypedMap<TKey, TValue>
        where TKey : unmanaged
        where TValue : unmanaged
    {
        public BpfMap Map { get; } = map;
    }
}
