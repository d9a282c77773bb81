using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.Tests.Elf;

/// <summary>Objects whose BTF a kernel does not take: libbpf goes on without it where it can.</summary>
public class RefusedBtfTests
{
    private const uint IntWithKindFlag = ((uint)BtfKind.Int << 24) | 0x8000_0000;

    [Fact]
    public void Object_WhoseBtfIsRefused_IsLinkedAsIfItHadNone()
    {
        var whole = ElfObjects.Link("maps", "struct task_struct { int pid; };");
        whole.Map("tasks").Record.Fields.Should().ContainSingle(f => f.Kind == BtfFieldKind.KptrRef);
        whole.BtfFault.Should().BeNull();

        var linked = Link("maps");
        linked.BtfFault!.Code.Should().Be(DiagCode.BtfMalformed);
        linked.Btf.Should().BeNull();
        linked.Map("tasks").Record.Fields.Should().BeEmpty("a map without types has no special fields");
        linked.Maps.Should().OnlyContain(m => m.Btf == null && m.ValueTypeId == 0);
        linked.Progs.Should().OnlyContain(
            p => p.LinkFault == null && p.Btf == null && p.FuncInfos.IsEmpty && p.LineInfos.IsEmpty);
    }

    [Fact]
    public void ObjectWithStructOps_WhoseBtfIsRefused_IsNotLoaded() =>
        Link("ops").Progs.Should().OnlyContain(p => p.LinkFault!.Code == DiagCode.BtfMalformed);

    [Fact]
    public void ObjectWithExterns_IsJudgedByWhatLibbpfMakesOfThem()
    {
        // As the compiler wrote it, the section of the externs is no section a kernel would take.
        var raw = ElfObjects.Read("ksyms").Btf!;
        new BtfRecordReader(raw, new(raw), _ => null).Load.IsOk.Should().BeFalse();

        var linked = ElfObjects.Link("ksyms", "struct task_struct { int pid; };");
        linked.BtfFault.Should().BeNull();
        linked.Btf!.TypeCount.Should().Be(raw.TypeCount + 1, "one variable stands for all functions");
        linked.Btf[raw.TypeCount].Name.Should().Be("dummy_ksym");
    }

    [Theory]
    [InlineData(0x2000_0000u)] // a bit that is reserved
    [InlineData(0x8000_0000u)] // the kind flag, which no function has
    public void ExternFunction_WithAFlag_KeepsItWhenItIsMadeGlobal(uint flag)
    {
        var raw = ElfObjects.Read("ksyms").Btf!;
        var section = raw[raw.FindId(".ksyms", BtfKind.DataSec)];
        var symbol = Enumerable.Range(0, section.VLen).Select(i => raw[section.Var(i).TypeId])
            .First(t => t.Kind == BtfKind.Func);
        Link("ksyms", symbol.Id, 1, raw.Word(symbol.Id, 1) | flag).BtfFault!.Code.Should().Be(DiagCode.BtfMalformed);
    }

    [Theory]
    [InlineData("calls", 0, 0x7fffffffu, false)]    // a name that does not exist
    [InlineData("maps", 0, 0x7fffffffu, true)]      // the same where maps are made of it
    public void Object_WhoseBtfIsUnreadable_IsReadWithoutWhereNothingIsMadeOfIt(
        string name, int word, uint value, bool isRefused)
    {
        var elf = ElfObjects.Bytes(name);
        var btf = ElfObjects.Read(name).Btf!;
        var start = elf.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x9f, 0xeb, 1, 0, 24, 0, 0, 0]);
        var patch = new BtfPatch(btf, elf[start..]);
        patch.Put(btf.FindId("int", BtfKind.Int), word, value);
        patch.Bytes.CopyTo(elf, start);

        var sink = new DiagSink();
        var read = ObjectReader.TryRead(elf, name, sink);

        (read is null).Should().Be(isRefused);
        if (read is not null)
        {
            read.Btf.Should().BeNull();
            read.BtfFault!.Code.Should().Be(DiagCode.BtfMalformed);
            read.Progs.Should().OnlyContain(p => p.FuncInfos.IsEmpty);
        }
    }

    private static ObjectSpec Link(string name) =>
        Link(name, ElfObjects.Read(name).Btf!.FindId("int", BtfKind.Int), 1, IntWithKindFlag);

    /// <summary>Links an object after a word of a type was changed.</summary>
    private static ObjectSpec Link(string name, int id, int word, uint value)
    {
        var elf = ElfObjects.Bytes(name);
        var btf = ElfObjects.Read(name).Btf!;
        var start = elf.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x9f, 0xeb, 1, 0, 24, 0, 0, 0]);
        var patch = new BtfPatch(btf, elf[start..]);
        patch.Put(id, word, value);
        patch.Bytes.CopyTo(elf, start);
        var kernel = ElfObjects.Kernel(
            "struct task_struct { int pid; }; struct my_ops { int (*first)(int); void (*second)(void);"
                + "unsigned int flags; char name[16]; }; struct bpf_struct_ops_my_ops { int common; "
                + "struct my_ops data; };");
        return ObjectLinker.Link(ObjectReader.Read(elf, name), kernel, new DiagSink());
    }
}
