using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Per-CPU values in system calls: all CPUs, one, the same for all, and CPU ids with holes.</summary>
public class PercpuFlagTests
{
    private static readonly int[] Sparse = [0, 2, 5];

    public static TheoryData<BpfMapType, MapFlags> Types => new()
    {
        { BpfMapType.PercpuArray, MapFlags.None },
        { BpfMapType.PercpuHash, MapFlags.None },
        { BpfMapType.PercpuHash, MapFlags.NoPrealloc },
        { BpfMapType.LruPercpuHash, MapFlags.None },
    };

    [Theory]
    [MemberData(nameof(Types))]
    public void OneCpu_WriteAndRead_TouchesNoOther(BpfMapType type, MapFlags flags)
    {
        using var core = Boot(KernelProfile.Linux7_2);
        using var map = Make(core, type, flags);
        map.UpdateElem(Key, Words(10, 20, 30)).Should().Be(Errno.None);
        map.UpdateElem(Key, Words(21), MapCpu.Only(2)).Should().Be(Errno.None);
        Read(map).Should().Equal(10UL, 21, 30);
        var one = new byte[8];
        map.LookupElem(Key, one, MapCpu.Only(2)).Should().Be(Errno.None);
        one.Should().Equal(Words(21));
        map.UpdateElem(Key, Words(7), MapUpdateFlags.AllCpus).Should().Be(Errno.None);
        Read(map).Should().Equal(7UL, 7, 7);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void CpuIdsWithHoles_UserBuffersHaveNoPartForThem(BpfMapType type, MapFlags flags)
    {
        using var core = Boot(KernelProfile.Linux6_12);
        using var map = Make(core, type, flags);
        map.UserValueSize.Should().Be(24);
        map.UpdateElem(Key, Words(10, 20, 30)).Should().Be(Errno.None);
        Sparse.Select(cpu => Word(map.ProgLookupPercpu(Key, (uint)cpu))).Should().Equal(10UL, 20, 30);
        map.ProgUpdate(Key, Words(50), MapUpdateFlags.Any, 5).Should().Be(Errno.None);
        Read(map).Should().Equal(10UL, 20, 50);
        int count = 4;
        var values = new byte[24 * 4];
        var keys = new byte[16];
        map.LookupBatch([], new byte[4], keys, values, ref count);
        var place = MemoryMarshal.Cast<byte, int>(keys).IndexOf(1);
        MemoryMarshal.Cast<byte, ulong>(values.AsSpan(place * 24, 24)).ToArray().Should().Equal(10UL, 20, 50);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void CpuFlags_EachKernelAndCombination_GivesLinuxErrno(BpfMapType type, MapFlags flags)
    {
        using var core = Boot(KernelProfile.Linux7_2);
        using var map = Make(core, type, flags);
        map.UpdateElem(Key, Words(1, 2, 3)).Should().Be(Errno.None);
        var one = Words(1);
        map.UpdateElem(Key, one, MapCpu.Only(1)).Should().Be(Errno.ERANGE, "CPU 1 is a hole");
        map.UpdateElem(Key, one, MapCpu.Only(6)).Should().Be(Errno.ERANGE);
        map.LookupElem(Key, one, MapCpu.Only(6)).Should().Be(Errno.ERANGE);
        map.LookupElem(Key, one, MapUpdateFlags.AllCpus).Should().Be(Errno.EINVAL);
        map.LookupAndDeleteElem(Key, one, MapUpdateFlags.Cpu).Should().Be(Errno.EINVAL);
        map.UpdateElem(Key, one, MapUpdateFlags.Cpu | MapUpdateFlags.AllCpus).Should().Be(Errno.EINVAL);
        map.UpdateElem(Key, one, MapUpdateFlags.AllCpus | MapUpdateFlags.Exist).Should().Be(Errno.EINVAL);
        map.UpdateElem(Key, Words(1, 2, 3), (MapUpdateFlags)(1UL << 32)).Should().Be(
            Errno.EINVAL, "a CPU without its flag");
        map.ProgUpdate(Key, one, MapCpu.Only(2), 0).Should().Be(Errno.EINVAL, "programs have no such flag");
        map.UpdateElem(Key, one, MapCpu.Only(2) | MapUpdateFlags.NoExist).Should().Be(
            Errno.None, "Linux compares the whole word with BPF_NOEXIST");
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void CpuFlags_OlderKernel_AreUnknown(BpfMapType type, MapFlags flags)
    {
        using var core = Boot(KernelProfile.Linux6_12);
        using var map = Make(core, type, flags);
        map.UpdateElem(Key, Words(1), MapCpu.Only(2)).Should().Be(Errno.EINVAL);
        map.UpdateElem(Key, Words(1), MapUpdateFlags.AllCpus).Should().Be(Errno.EINVAL);
        map.LookupElem(Key, new byte[8], MapCpu.Only(2)).Should().Be(Errno.EINVAL);
        int count = 1;
        map.UpdateBatch(Key, Words(1), ref count, MapUpdateFlags.AllCpus).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void CpuFlags_MapWithOneValue_AreRefused()
    {
        using var core = Boot(KernelProfile.Linux7_2);
        using var map = Make(core, BpfMapType.Hash, MapFlags.None);
        map.UpdateElem(Key, Words(1), MapCpu.Only(0)).Should().Be(Errno.EINVAL);
        map.UpdateElem(Key, Words(1), MapUpdateFlags.AllCpus).Should().Be(Errno.EINVAL);
        map.LookupElem(Key, Words(1), MapCpu.Only(0)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Batches_OneCpu_MoveOneValueEach()
    {
        using var core = Boot(KernelProfile.Linux7_2);
        using var map = Make(core, BpfMapType.PercpuHash, MapFlags.None);
        int count = 2;
        map.UpdateBatch(Words(0x0000_0002_0000_0001), Words(11, 12), ref count, MapCpu.Only(5)).Should().Be(Errno.None);
        count.Should().Be(2);
        count = 4;
        var keys = new byte[16];
        var values = new byte[32];
        map.LookupBatch([], new byte[4], keys, values, ref count, MapCpu.Only(5)).Should().Be(Errno.ENOENT);
        count.Should().Be(2);
        MemoryMarshal.Cast<byte, ulong>(values)[..2].ToArray().Should().BeEquivalentTo([11UL, 12UL]);
        map.LookupAndDeleteBatch([], new byte[4], keys, values, ref count, MapCpu.Only(5)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void ThreadsAndOptions_ImpossibleCpu_AreRefused()
    {
        using var core = Boot(KernelProfile.Linux6_12);
        ((Action)(() => core.CurrentCpu = 1)).Should().Throw<ArgumentOutOfRangeException>();
        var impossible = new KernelCoreOptions { CpuCount = 2, PossibleCpus = [0, 2] };
        ((Action)(() => new KernelCore(TestKernel.Spec, impossible).Dispose())).Should()
            .Throw<ArgumentOutOfRangeException>();
    }

    private static byte[] Key => [1, 0, 0, 0];

    private static KernelCore Boot(KernelProfile profile) => new(
        TestKernel.Spec with { Profile = profile },
        new() { CpuCount = 6, PossibleCpus = Sparse, Driver = DeferredDriver.Manual });

    private static BpfMap Make(KernelCore core, BpfMapType type, MapFlags flags) =>
        MapFactory.Create(core, new("percpu", type) { KeySize = 4, ValueSize = 8, MaxEntries = 4, Flags = flags });

    private static ulong[] Read(BpfMap map)
    {
        var value = new byte[map.UserValueSize];
        map.LookupElem(Key, value).Should().Be(Errno.None);
        return MemoryMarshal.Cast<byte, ulong>(value).ToArray();
    }

    private static unsafe ulong Word(ulong address) => *(ulong*)address;

    private static byte[] Words(params ReadOnlySpan<ulong> words) => MemoryMarshal.AsBytes(words).ToArray();
}
