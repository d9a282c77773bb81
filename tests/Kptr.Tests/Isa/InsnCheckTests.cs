using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Kptr.Diagnostics;
using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Isa;

public class InsnCheckTests
{
    // The bytes and the kernel's words: verifier.c of 6.12, one per rule.
    [Theory]
    [InlineData("8f00000000000000", "unknown opcode 8f")]
    [InlineData("8d00000000000000", "unknown opcode 8d")]
    [InlineData("df00000010000000", "unknown opcode df")]
    [InlineData("e700000000000000", "unknown opcode e7")]
    [InlineData("8410000000000000", "BPF_NEG uses reserved fields")]
    [InlineData("d400000008000000", "BPF_END uses reserved fields")]
    [InlineData("bf21000001000000", "BPF_MOV uses reserved fields")]
    [InlineData("bc21200000000000", "BPF_MOV uses reserved fields")]
    [InlineData("bf21010002000000", "addr_space_cast insn can only convert between address space 1 and 0")]
    [InlineData("0701010001000000", "BPF_ALU uses reserved fields")]
    [InlineData("3701000000000000", "div by zero")]
    [InlineData("6701000040000000", "invalid shift 64")]
    [InlineData("64010000ffffffff", "invalid shift -1")]
    [InlineData("8501000001000000", "BPF_CALL uses reserved fields")]
    [InlineData("9500000001000000", "BPF_EXIT uses reserved fields")]
    [InlineData("0600010001000000", "BPF_JA uses reserved fields")]
    [InlineData("e500000000000000", "invalid may_goto off 0 imm 0")]
    [InlineData("1d21010001000000", "BPF_JMP/JMP32 uses reserved fields")]
    [InlineData("6121000001000000", "BPF_LDX uses reserved fields")]
    [InlineData("9921000000000000", "BPF_LDX uses reserved fields")]
    [InlineData("6221000001000000", "BPF_ST uses reserved fields")]
    [InlineData("7b21000001000000", "BPF_STX uses reserved fields")]
    [InlineData("db21000002000000", "BPF_ATOMIC uses invalid atomic opcode 02")]
    [InlineData("2821000000000000", "BPF_LD_[ABS|IND] uses reserved fields")]
    [InlineData("1801000000000000", "invalid bpf_ld_imm64 insn")]
    [InlineData("18710000000000000000000000000000", "unrecognized bpf_ld_imm64 insn")]
    [InlineData("18010100000000000000000000000000", "BPF_LD_IMM64 uses reserved fields")]
    [InlineData("b70b000000000000", "R11 is invalid")]
    [InlineData("bfc1000000000000", "R12 is invalid")]
    public void Fault_BrokenEncoding_SpeaksTheKernelsWords(string hex, string words)
    {
        var insns = InsnCodec.Decode(Convert.FromHexString(hex));
        InsnCheck.Fault(insns[0], insns.Length > 1 ? insns[1] : null).Should().Be(words);
    }

    [Property(MaxTest = 1000)]
    public Property Fault_LegalInsn_IsKnownToTheDisassembler() => Prop.ForAll(
        InsnGen.Legal.ToArbitrary(),
        s => Disassembler.Text(s[0], s.Length > 1 ? s[1] : null, DisasmCpu.V4).Should().NotBe(Disassembler.Unknown));

    [Fact]
    public void CheckAll_JumpIntoImmediateLoad_ReportsTheJump()
    {
        BpfInsn[] insns = [Ja(1), .. LdImm64(R0, 1), Jeq(R0, 0, 5), CallRel(-9), Exit()];
        var sink = new DiagSink();
        InsnCheck.CheckAll(insns, sink).Should().BeFalse();
        sink.All.Select(d => (d.Code, d.InsnIdx)).Should().Equal(
            (DiagCode.InsnBadTarget, 0), (DiagCode.InsnBadTarget, 3), (DiagCode.InsnBadTarget, 4));
    }

    [Fact]
    public void CheckAll_GoodProgram_ReportsNothing()
    {
        BpfInsn[] insns = [.. LdImm64(R0, 1), Jeq(R0, 0, -3), CallRel(1), Exit(), Exit()];
        InsnCheck.CheckAll(insns, new DiagSink()).Should().BeTrue();
    }
}
