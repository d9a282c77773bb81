using Kptr.Diagnostics;
using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Isa;

/// <summary>
/// The rules of encodings, each from both sides: what Linux 6.12 takes, and the same with one field more.
/// </summary>
public class InsnRuleTests
{
    // bpf_opcode_in_insntable (kernel/bpf/core.c, 6.12), class by class.
    private static readonly byte[] KnownOpcodes = Convert.FromHexString(
        "18" + "202830" + "404850"
        + "61697179" + "818991" + "626a727a" + "636b737b" + "c3db"
        + "040c141c242c343c444c545c646c747c84949ca4acb4bcc4ccd4dc"
        + "070f171f272f373f474f575f676f777f87979fa7afb7bfc7cfd7"
        + "05151d252d353d454d555d656d757d8595a5adb5bdc5cdd5dde5"
        + "06161e262e363e464e565e666e767ea6aeb6bec6ced6de");

    [Fact]
    public void IsKnownOpcode_OfAll256_IsTheKernelsTable() =>
        Enumerable.Range(0, 256).Where(op => InsnCheck.IsKnownOpcode((byte)op)).Should().Equal(
            KnownOpcodes.Select(op => (int)op).Order());

    /// <summary>An instruction, and which of its fields may be another: d, s, o, i.</summary>
    public static TheoryData<string, string> Free => new()
    {
        { "r1 += r2", "ds" }, { "w1 -= w2", "ds" }, { "r1 += 3", "di" }, { "w1 *= 3", "di" },
        { "r1 /= r2", "ds" }, { "r1 /= 3", "di" }, { "w1 %= w2", "ds" }, { "r1 s/= r2", "ds" }, { "w1 s%= 3", "di" },
        { "r1 = -r1", "d" }, { "w1 = -w1", "d" }, { "r1 = le16 r1", "d" }, { "r1 = be32 r1", "d" },
        { "r1 = bswap64 r1", "d" },
        { "r1 = r2", "ds" }, { "w1 = w2", "ds" }, { "r1 = 3", "di" }, { "w1 = 3", "di" },
        { "r1 = (s8)r2", "ds" }, { "r1 = (s32)r2", "ds" }, { "w1 = (s16)w2", "ds" },
        { "r1 = addr_space_cast(r2, 0, 1)", "ds" }, { "r1 = addr_space_cast(r2, 1, 0)", "ds" },
        { "if r1 == r2 goto +3", "dso" }, { "if w1 s<= w2 goto +3", "dso" }, { "if r1 & 3 goto +3", "doi" },
        { "if w1 > 3 goto +3", "doi" },
        { "goto +3", "o" }, { "gotol +3", "i" }, { "may_goto +3", "o" }, { "exit", "o" }, { "call 3", "i" },
        { "call +3", "i" },
        { "r1 = *(u32 *)(r2 + 3)", "dso" }, { "r1 = *(s16 *)(r2 + 3)", "dso" }, { "*(u8 *)(r2 + 3) = 3", "doi" },
        { "*(u64 *)(r2 + 3) = r1", "dso" },
        { "lock *(u32 *)(r2 + 3) += w1", "dso" }, { "r1 = xchg_64(r2 + 3, r1)", "dso" },
        { "r0 = cmpxchg_64(r2 + 3, r0, r1)", "dso" },
        { "r0 = *(u8 *)skb[3]", "i" }, { "r0 = *(u16 *)skb[r2 + 3]", "si" }, { "r1 = 3 ll", "di" },
    };

    [Theory, MemberData(nameof(Free))]
    public void Fault_OfOneFieldChanged_IsThereForReservedFieldsOnly(string text, string free)
    {
        var insns = TextAssembler.Assemble(text).Insns;
        var (insn, second) = (insns[0], insns.Length > 1 ? insns[1] : (BpfInsn?)null);

        InsnCheck.Fault(insn, second).Should().BeNull();
        Check('d', new(insn.Opcode, insn.Dst ^ 1, insn.Src, insn.Off, insn.Imm));
        Check('s', new(insn.Opcode, insn.Dst, insn.Src ^ 7, insn.Off, insn.Imm));
        Check('o', new(insn.Opcode, insn.Dst, insn.Src, (short)(insn.Off ^ 0x100), insn.Imm));
        Check('o', new(insn.Opcode, insn.Dst, insn.Src, (short)(insn.Off ^ unchecked((short)0x8000)), insn.Imm));
        Check('i', new(insn.Opcode, insn.Dst, insn.Src, insn.Off, insn.Imm ^ 0x10000000));

        void Check(char field, BpfInsn other)
        {
            var isFree = free.Contains(field, StringComparison.Ordinal);
            (InsnCheck.Fault(other, second) is null).Should().Be(isFree, "{0} of {1}", field, text);
        }
    }

    [Theory]
    [InlineData("r1 = (s8)r2", 9, false)]
    [InlineData("r1 = (s8)r2", 32, true)]
    [InlineData("w1 = (s8)w2", 32, false)]
    [InlineData("w1 = (s8)w2", 1, false)]
    [InlineData("r1 += r2", 1, false)]
    [InlineData("r1 %= r2", 1, true)]
    [InlineData("r1 %= r2", 2, false)]
    [InlineData("may_goto +1", 0, false)]
    [InlineData("may_goto +1", -1, true)]
    [InlineData("call 3", 1, false)]
    public void Fault_OfAnOffset_KnowsItsValues(string text, int off, bool isTaken)
    {
        var insn = TextAssembler.Assemble(text).Insns[0];
        (InsnCheck.Fault(new(insn.Opcode, insn.Dst, insn.Src, (short)off, insn.Imm), null) is null).Should()
            .Be(isTaken);
    }

    [Theory]
    [InlineData(BpfOp.Lsh, 63, true, 31, true)]
    [InlineData(BpfOp.Rsh, 64, false, 32, false)]
    [InlineData(BpfOp.Arsh, 0, true, 0, true)]
    [InlineData(BpfOp.Arsh, -1, false, -1, false)]
    [InlineData(BpfOp.Div, 0, false, 0, false)]
    [InlineData(BpfOp.Mod, -1, true, -1, true)]
    [InlineData(BpfOp.Mul, 0, true, 64, true)]
    public void Fault_OfAConstantOperand_FollowsTheWidth(byte op, int imm64, bool isTaken64, int imm32, bool isTaken32)
    {
        (InsnCheck.Fault(Alu64(op, R1, imm64), null) is null).Should().Be(isTaken64);
        (InsnCheck.Fault(Alu32(op, R1, imm32), null) is null).Should().Be(isTaken32);
        InsnCheck.EncodingFault(Alu64(op, R1, imm64), null).Should().BeNull("RFC 9669 defines the result");
        InsnCheck.Fault(Alu64(op, R1, R0), null).Should().BeNull("a register may hold it");
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, false)]
    public void Fault_OfCalls_KnowsItsPseudoSources(int src, bool isTaken)
    {
        (InsnCheck.Fault(new(0x85, 0, src, 0, 1), null) is null).Should().Be(isTaken);
        (InsnCheck.Fault(new(0x85, 0, src, 1, 1), null) is null).Should().Be(
            src == BpfOp.PseudoKfuncCall, "only a kfunc has a BTF of its own");
    }

    [Fact]
    public void Fault_OfImmediateLoads_KnowsItsPseudoSourcesAndSecondSlot()
    {
        for (var src = 0; src < 16; src++)
        {
            (InsnCheck.Fault(new(BpfOp.LdImm64, 1, src, 0, 0), default(BpfInsn)) is null).Should().Be(
                src <= BpfOp.PseudoMapIdxValue, "src {0}", src);
        }

        BpfInsn[] seconds = [new(1, 0, 0, 0, 0), new(0, 1, 0, 0, 0), new(0, 0, 1, 0, 0), new(0, 0, 0, 1, 0)];
        seconds.Should().OnlyContain(s => InsnCheck.Fault(LdImm64(R1, 1)[0], s) == "invalid bpf_ld_imm64 insn");
        InsnCheck.Fault(LdImm64(R1, 1)[0], new(0, 0, 0, 0, -1)).Should().BeNull();
    }

    [Theory]
    [InlineData("07bb", null, "R11 is invalid")]
    [InlineData("0fb1", "R11 is invalid", null)]
    [InlineData("61b1", "R11 is invalid", null)]
    public void Fault_OfRegisters_NamesTheSourceFirst(string start, string? words, string? otherwise)
    {
        var bytes = Convert.FromHexString(start + "0000" + "00000000");
        var insn = InsnCodec.DecodeOne(bytes);
        var fault = InsnCheck.Fault(insn, null);

        fault.Should().Be(words ?? (insn.Src == 0 ? otherwise : "BPF_ALU uses reserved fields"));
    }

    [Fact]
    public void TargetOf_EveryKind_CountsFromTheNextSlot()
    {
        InsnCheck.TargetOf(Ja(4), 10).Should().Be(15);
        InsnCheck.TargetOf(Gotol(100_000), 10).Should().Be(100_011);
        InsnCheck.TargetOf(MayGoto(-3), 10).Should().Be(8);
        InsnCheck.TargetOf(Jeq(R1, 7, -11), 10).Should().Be(0);
        InsnCheck.TargetOf(Jmp32(BpfOp.Jsgt, R1, R2, 5), 10).Should().Be(16);
        InsnCheck.TargetOf(CallRel(int.MaxValue), 10).Should().Be(11L + int.MaxValue);
        InsnCheck.TargetOf(LdImm64(R1, BpfOp.PseudoFunc, -5)[0], 10).Should().Be(6);
        BpfInsn[] none = [Call(5), Exit(), Add(R1, 4), Ldx(BpfOp.W, R1, R2, 4), LdImm64(R1, 5)[0], new(
            0x85, 0, BpfOp.PseudoKfuncCall, 0, 5)];
        none.Should().OnlyContain(i => InsnCheck.TargetOf(i, 10) == null);
    }

    [Fact]
    public void CheckAll_OfFaults_SaysWhichAreUnknownOpcodes()
    {
        BpfInsn[] insns = [
            new(0xe7, 0, 0, 0, 0), new(0x07, 1, 1, 0, 0), .. LdImm64(R1, ulong.MaxValue),
            new(0x99, 1, 1, 0, 0), Ja(-6), Ja(0),
        ];
        var sink = new DiagSink();

        InsnCheck.CheckAll(insns, sink).Should().BeFalse();

        sink.All.Select(d => (d.Code, d.InsnIdx)).Should().Equal(
            (DiagCode.InsnUnknownOpcode, 0), (DiagCode.InsnReservedField, 1), (DiagCode.InsnUnknownOpcode, 4),
            (DiagCode.InsnBadTarget, 6));
        sink.All[^1].Message.Should().Be("jump out of range from insn 6 to 7");
        InsnCheck.CheckAll([Exit()], sink).Should().BeTrue("earlier reports are not its own");
    }
}
