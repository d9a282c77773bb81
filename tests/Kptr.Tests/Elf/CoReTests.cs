using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Tests.Elf;

/// <summary>CO-RE relocations of every kind, against a kernel that laid the same types out differently.</summary>
public class CoReTests
{
    private const string Kernel = """
        struct point { int pad; int y; int x; };
        struct shape {
            unsigned long long front;
            struct point corners[6];
            struct { union { struct { unsigned int anonymous; }; unsigned long long wide; }; };
            struct point origin;
            unsigned int keep : 1;
            int level : 7;
            unsigned int flags : 2;
            struct point *next;
            unsigned long long narrow;
        };
        typedef int (*handler_t)(struct shape *, int);
        enum color { GREEN = 5, BLUE = 6 };
        enum big { HUGE = 0x200000000ULL };
        """;

    private const int PoisonImm = 195896080;

    // Relocations in the order of tests/data/elf/core.bpf.c's instructions; offsets count in the layout above.
    [Theory]
    [InlineData("offsets", new long[] { 92, 40, 80, 112 })] // origin.y, corners[2].x, anonymous, narrow
    [InlineData("sizes", new long[] { 72, 8, 8 })] // corners, next, narrow
    [InlineData("existence", new long[] { 1, 0, 0 })] // narrow, a flavour's field, a type that is missing
    [InlineData("bitfields", new long[] { 100, 4, 1, 56, 57, 0 })] // level: offset, size, signed, shifts; flags: signed
    [InlineData("types", new long[] { 1, 0, 120, 1, 1 })] // exists, does not, size, matches, a typedef
    [InlineData("enums", new long[] { 1, 5, 0, 0x2_0000_0000 })] // GREEN exists, its value, GONE is gone, HUGE
    public void Relocations_AgainstAnotherLayout_TakeTheKernelsValues(string program, long[] values)
    {
        var before = ElfObjects.Read("core").Prog(program);
        var linked = ElfObjects.Link("core", Kernel).Prog(program);

        linked.LinkFault.Should().BeNull();
        linked.CoReRelocs.Should().BeEmpty();
        before.CoReRelocs.Select(r => ValueAt(linked, r.InsnIdx)).Should().Equal(values);
    }

    [Fact]
    public void Load_OfAnUnsignedFieldThatGrew_BecomesWider()
    {
        var before = ElfObjects.Read("core").Prog("offsets");
        var at = before.CoReRelocs[3].InsnIdx;

        before.Insns[at].Opcode.Should().Be((byte)InsnClass.Ldx | BpfOp.Mem | BpfOp.W);
        ElfObjects.Link("core", Kernel).Prog("offsets").Insns[at].Opcode.Should().Be(
            (byte)InsnClass.Ldx | BpfOp.Mem | BpfOp.Dw);
    }

    [Fact]
    public void Load_OfAFieldThatBecameSignedAndGrew_IsPoisoned()
    {
        var at = ElfObjects.Read("core").Prog("offsets").CoReRelocs[3].InsnIdx;
        var linked = ElfObjects.Link(
            "core", Kernel.Replace("unsigned long long narrow", "long long narrow", StringComparison.Ordinal));

        linked.Prog("offsets").Insns[at].Should().Be(Poison);
    }

    [Fact]
    public void TypeIds_LocalAndTarget_AreOfEachBtf()
    {
        var before = ElfObjects.Read("core");
        var linked = ElfObjects.Link("core", Kernel).Prog("type_ids");
        var relocs = before.Prog("type_ids").CoReRelocs;

        ValueAt(linked, relocs[0].InsnIdx).Should().Be(before.Btf!.FindId("shape", BtfKind.Struct));
        ValueAt(linked, relocs[1].InsnIdx).Should().Be(
            ElfObjects.Kernel(Kernel).Types.Vmlinux.FindId("shape", BtfKind.Struct));
    }

    [Fact]
    public void Field_OfATypeTheKernelLacks_PoisonsTheInstruction()
    {
        var linked = ElfObjects.Link("core", Kernel).Prog("poisoned");

        linked.LinkFault.Should().BeNull("the instruction may be dead code; the verifier decides");
        linked.Insns[0].Should().Be(Poison);
    }

    [Fact]
    public void Candidates_ThatDisagree_AreAmbiguous()
    {
        var sink = new DiagSink();
        var linked = ElfObjects.Link(
            "core", Kernel + "struct missing { int nothing; }; struct missing___two { int pad; int nothing; };", sink);

        linked.Prog("poisoned").LinkFault!.Code.Should().Be(DiagCode.CoReAmbiguous);
        linked.Prog("offsets").LinkFault.Should().BeNull("other programs are not concerned");
        sink.All.Should().Contain(
            d => d.Code == DiagCode.CoReAmbiguous && d.Source!.Contains("core.bpf.c:", StringComparison.Ordinal));
    }

    [Fact]
    public void Candidates_ThatAgree_AreOne()
    {
        var linked = ElfObjects.Link(
            "core", Kernel + "struct missing { int a; int nothing; }; struct missing___two { int b; int nothing; };");

        linked.Prog("poisoned").LinkFault.Should().BeNull();
        linked.Prog("poisoned").Insns[0].Off.Should().Be(4);
    }

    private static BpfInsn Poison => new((byte)InsnClass.Jmp + BpfOp.Call, 0, 0, 0, PoisonImm);

    private static long ValueAt(ProgSpec prog, int at) => prog.Insns[at] switch
    {
        { Opcode: BpfOp.LdImm64 } low => (uint)low.Imm | ((long)prog.Insns[at + 1].Imm << 32),
        { Class: InsnClass.Ldx } load => load.Off,
        var insn => insn.Imm,
    };
}
