using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.Tests.Elf;

/// <summary>Maps of tests/data/elf/maps.bpf.c: definitions, data sections, kconfig, initial slots.</summary>
public class MapDefTests
{
    private static readonly ObjectSpec Spec = ElfObjects.Read("maps");

    [Fact]
    public void Maps_OfAllKinds_ComeInLibbpfsOrder()
    {
        Spec.Maps.Select(m => m.Name).Should().BeEquivalentTo(
            "tasks", "first", "second", "outer", "jumps", "events", "bloom", ".data", ".rodata", ".bss",
            ".data.custom", ".kconfig");
        Spec.Maps.Select(m => m.Name).Should().EndWith(".kconfig");
        Spec.Name.Should().Be("maps");
        Spec.License.Should().Be("Dual MIT/GPL");
    }

    [Fact]
    public void Definition_WithTypes_GivesSizesAndIds()
    {
        var tasks = Spec.Map("tasks");

        tasks.Type.Should().Be(BpfMapType.Hash);
        (tasks.KeySize, tasks.ValueSize, tasks.MaxEntries).Should().Be((4, 16, 64u));
        tasks.Flags.Should().Be(MapFlags.NoPrealloc);
        tasks.PinByName.Should().BeTrue();
        Spec.Btf![tasks.ValueTypeId].Name.Should().Be("entry");
    }

    [Fact]
    public void MapOfMaps_HasInnerBlueprintAndSlots()
    {
        var outer = Spec.Map("outer");

        outer.InnerMap!.Type.Should().Be(BpfMapType.Array);
        (outer.InnerMap.KeySize, outer.InnerMap.ValueSize, outer.InnerMap.MaxEntries).Should().Be((4, 8, 4u));
        outer.InitialSlots.Should().Equal((0, "first"), (2, "second"));
        Spec.Map("jumps").InitialSlots.Should().Equal((1, "tail"));
    }

    [Fact]
    public void RingBuffer_OfAnOddSize_IsRoundedUpToPages()
    {
        Spec.Map("events").MaxEntries.Should().Be(8192);
    }

    [Fact]
    public void MapExtra_IsKept()
    {
        Spec.Map("bloom").MapExtra.Should().Be(3);
    }

    [Fact]
    public void DataSections_AreArraysOfOneValue()
    {
        var (data, rodata, bss) = (Spec.Map(".data"), Spec.Map(".rodata"), Spec.Map(".bss"));

        data.InitialValue.Should().Equal(7, 0, 0, 0);
        data.Flags.Should().Be(MapFlags.Mmapable);
        rodata.Frozen.Should().BeTrue();
        rodata.Flags.Should().HaveFlag(MapFlags.RdOnlyProg);
        rodata.InitialValue[0].Should().Be(99);
        bss.InitialValue.IsDefault.Should().BeTrue();
        bss.ValueSize.Should().Be(8);
        Spec.Map(".data.custom").ValueSize.Should().Be(8);
    }

    [Fact]
    public void DataSection_TypesHaveTheOffsetsTheCompilerDidNotKnow()
    {
        var section = Spec.Btf![Spec.Map(".bss").ValueTypeId];
        var variables = Enumerable.Range(0, section.VLen).Select(i => section.Var(i)).ToArray();

        section.SizeBytes.Should().Be(8);
        variables.Select(v => v.OffsetBytes).Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
    }

    [Fact]
    public void Kconfig_IsLaidOutByAlignmentAndFilledFromTheKernel()
    {
        Spec.Externs.Where(e => e.Kconfig is not null).Select(e => (e.Name, e.Kconfig!.OffsetBytes)).Should().Equal(
            ("CONFIG_NOT_THERE", 0), ("CONFIG_HZ", 8), ("LINUX_KERNEL_VERSION", 12), ("CONFIG_BPF_SYSCALL", 16));

        var linked = ElfObjects.Link("maps", "struct task_struct { int pid; };");
        var value = linked.Map(".kconfig").InitialValue.AsSpan();
        BitConverter.ToUInt64(value).Should().Be(0, "the weak value is not set");
        BitConverter.ToInt32(value[8..]).Should().Be(250);
        BitConverter.ToInt32(value[12..]).Should().Be(6 << 16 | 12 << 8);
        value[16].Should().Be(1);
    }

    [Fact]
    public void Kconfig_StrongValueTheKernelLacks_FailsTheObject()
    {
        var kernel = ElfObjects.Kernel("struct task_struct { int pid; };") with
        {
            Kconfig = KernelConfig.Parse("CONFIG_HZ=100\n# CONFIG_BPF_SYSCALL is not set"),
        };
        var linked = ObjectLinker.Link(Spec, kernel, new());

        linked.Progs.Should().OnlyContain(p => p.LinkFault!.Code == Diagnostics.DiagCode.KconfigUnresolved);
    }

    [Fact]
    public void Arena_HoldsItsVariables()
    {
        var spec = ElfObjects.Read("arena");

        spec.Map("arena").Type.Should().Be(BpfMapType.Arena);
        spec.Map("arena").InitialValue.Should().Contain((byte)42);
        spec.Prog("adds").Relocs.Should().OnlyContain(r => r.Kind == ProgRelocKind.MapValue && r.Name == "arena");
    }
}
