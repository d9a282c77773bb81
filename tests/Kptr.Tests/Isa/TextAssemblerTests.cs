using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Kptr.Diagnostics;
using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Isa;

public class TextAssemblerTests
{
    [Property(MaxTest = 2000)]
    public Property AssembleDisassemble_LegalInsn_IsIdentity() => Prop.ForAll(
        InsnGen.Legal.ToArbitrary(),
        slots =>
        {
            var text = Disassembler.Text(slots[0], slots.Length > 1 ? slots[1] : null, DisasmCpu.V4);
            TextAssembler.Assemble(text).Insns.Should().Equal(TextOnly(slots), "of {0}", text);
        });

    [Fact]
    public void Assemble_EveryForm_GivesItsEncoding()
    {
        var text = """
            start:                       ; a comment
                r1 = 10                  // another
                w2 = -0x1                # and another
                r3 = 0xfffffffff ll
                if r1 s> r2 goto start
                if w1 & 0x80 goto +1 <start+0x8>
                *(u8 *)(r10 - 8) = 7
                r0 = *(s16 *)(r1 + 2)
                r4 = (s32)r5
                r6 s/= -3
                r7 = atomic_fetch_or((u64 *)(r10 - 16), r7)
                may_goto start
                call helper_one
                call sub
                call bpf_task_acquire
                r1 = tasks ll
                r2 = data+16 ll
                r3 = sub ll
                call -3
                exit
            sub: exit
            """;
        var program = TextAssembler.Assemble(text, name => name == "helper_one" ? 1 : null);
        BpfInsn[] expected =
        [
            Mov(R1, 10), Mov32(R2, -1), .. LdImm64(R3, 0xfffffffff), Jmp(BpfOp.Jsgt, R1, R2, -5),
            Jmp32(BpfOp.Jset, R1, 0x80, 1),
            St(BpfOp.B, R10, -8, 7), LdxSx(BpfOp.H, R0, R1, 2), MovSx(R4, R5, 32), Alu64(BpfOp.Div, R6, -3, 1),
            Atomic(BpfOp.Dw, BpfOp.Or | BpfOp.Fetch, R10, -16, R7), MayGoto(-12), Call(1), CallRel(9),
            new BpfInsn(0x85, 0, BpfOp.PseudoKfuncCall, 0, 0), .. LdImm64(R1, 0), .. LdImm64(R2, 0),
            .. LdImm64(R3, BpfOp.PseudoFunc, 3), CallRel(-3), Exit(), Exit(),
        ];
        program.Insns.Should().Equal(expected);
        program.Labels.Should().BeEquivalentTo(new Dictionary<string, int> { ["start"] = 0, ["sub"] = 23 });
        program.Symbols.Should().Equal(
            new AsmSymbol(14, AsmSymbolKind.Call, "bpf_task_acquire", 0),
            new AsmSymbol(15, AsmSymbolKind.Address, "tasks", 0),
            new AsmSymbol(17, AsmSymbolKind.Address, "data", 16));
    }

    [Theory]
    [InlineData("r1 = 0x1ffffffff", DiagCode.AsmRange)]
    [InlineData("r1 += 0xffffffff", DiagCode.AsmRange)]
    [InlineData("*(u8 *)(r10 - 40000) = 7", DiagCode.AsmRange)]
    [InlineData("r12 = 1", DiagCode.AsmSyntax)]
    [InlineData("r1 = w2", DiagCode.AsmSyntax)]
    [InlineData("r1 = le16 r2", DiagCode.AsmSyntax)]
    [InlineData("w1 = *(u64 *)(r2 + 0)", DiagCode.AsmSyntax)]
    [InlineData("exit exit", DiagCode.AsmSyntax)]
    [InlineData("goto nowhere", DiagCode.AsmLabel)]
    [InlineData("a: exit\na: exit", DiagCode.AsmLabel)]
    public void TryAssemble_BadLine_SaysWhat(string text, DiagCode code)
    {
        var sink = new DiagSink();
        TextAssembler.TryAssemble(text, sink, out _).Should().BeFalse();
        sink.All.Should().ContainSingle().Which.Code.Should().Be(code);
    }

    [Fact]
    public void Create_CollectionExpression_ResolvesLabels()
    {
        AsmProgram program = [
            Mov(R0, 0), Label("top"), Add(R0, 1), Jlt(R0, 10, "top"), Ja("end"), .. LdAddr(R1, "m"),
            Label("end"), Exit(),
        ];
        program.Insns.Should().Equal(
            Mov(R0, 0), Add(R0, 1), Jlt(R0, 10, -2), Ja(2), LdImm64(R1, 0)[0], LdImm64(R1, 0)[1], Exit());
        FluentActions.Invoking(() => AsmProgram.Create([Ja("x")])).Should().Throw<ArgumentException>();
    }

    // Without what LLVM's text does not show: whose call it is, a pseudo load's second half, an indirect load's addend.
    private static BpfInsn[] TextOnly(BpfInsn[] slots)
    {
        var insn = slots[0];
        if (insn.Opcode == BpfOp.LdImm64 && insn.Src != 0)
        {
            return [insn, new BpfInsn(0, 0, 0, 0, 0)];
        }

        if (insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call))
        {
            return [insn.Imm < 0 ? CallRel(insn.Imm) : Call(insn.Imm)];
        }

        if (insn.Class == InsnClass.Ld && (insn.Opcode & BpfOp.ModeMask) == BpfOp.Ind)
        {
            return [new BpfInsn(insn.Opcode, 0, insn.Src, 0, 0)];
        }

        return insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Exit) ? [Exit()] : slots;
    }
}
