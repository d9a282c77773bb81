using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Isa;

/// <summary>The C# assembler, method by method, as the text that LLVM prints for it.</summary>
public class AsmTests
{
    public static TheoryData<string, BpfInsn> Insns => new()
    {
        { "r1 = r2", Mov(R1, R2) }, { "r1 = 0x3", Mov(R1, 3) }, { "w1 = w2", Mov32(R1, R2) },
        { "w1 = -0x3", Mov32(R1, -3) },
        { "r1 += r2", Add(R1, R2) }, { "r1 += 0x3", Add(R1, 3) }, { "r1 -= r2", Sub(R1, R2) },
        { "r1 -= 0x3", Sub(R1, 3) },
        { "r1 *= r2", Mul(R1, R2) }, { "r1 *= 0x3", Mul(R1, 3) }, { "r1 &= r2", And(R1, R2) },
        { "r1 &= 0x3", And(R1, 3) },
        { "r1 |= r2", Or(R1, R2) }, { "r1 |= 0x3", Or(R1, 3) }, { "r1 ^= r2", Xor(R1, R2) },
        { "r1 ^= 0x3", Xor(R1, 3) },
        { "r1 <<= r2", Lsh(R1, R2) }, { "r1 <<= 0x3", Lsh(R1, 3) }, { "r1 >>= r2", Rsh(R1, R2) },
        { "r1 >>= 0x3", Rsh(R1, 3) },
        { "r1 s>>= r2", Arsh(R1, R2) }, { "r1 s>>= 0x3", Arsh(R1, 3) }, { "r1 /= r2", Div(R1, R2) },
        { "r1 /= 0x3", Div(R1, 3) },
        { "r1 %= r2", Mod(R1, R2) }, { "r1 %= 0x3", Mod(R1, 3) }, { "r1 s/= r2", SDiv(R1, R2) },
        { "r1 s%= r2", SMod(R1, R2) },
        { "r1 = -r1", Neg(R1) }, { "w3 *= w4", Alu32(BpfOp.Mul, R3, R4) }, { "w3 s%= 0x5", Alu32(BpfOp.Mod, R3, 5, 1) },
        { "r1 = (s16)r2", MovSx(R1, R2, 16) }, { "r7 = bswap32 r7", Bswap(R7, 32) }, { "r7 = be16 r7", ToBe(R7, 16) },
        { "r7 = le64 r7", ToLe(R7, 64) },
        { "w1 = *(u32 *)(r2 - 0x8)", Ldx(BpfOp.W, R1, R2, -8) },
        { "r1 = *(s8 *)(r2 + 0x1)", LdxSx(BpfOp.B, R1, R2, 1) },
        { "*(u64 *)(r10 - 0x8) = r3", Stx(BpfOp.Dw, R10, -8, R3) },
        { "*(u16 *)(r9 + 0x2) = -0x1", St(BpfOp.H, R9, 2, -1) },
        { "lock *(u64 *)(r1 + 0x10) |= r2", Atomic(BpfOp.Dw, BpfOp.Or, R1, 16, R2) },
        { "if r1 == 0x3 goto +0x5", Jeq(R1, 3, 5) }, { "if r1 != 0x3 goto +0x5", Jne(R1, 3, 5) },
        { "if r1 > 0x3 goto +0x5", Jgt(R1, 3, 5) },
        { "if r1 >= 0x3 goto +0x5", Jge(R1, 3, 5) }, { "if r1 < 0x3 goto +0x5", Jlt(R1, 3, 5) },
        { "if r1 <= 0x3 goto +0x5", Jle(R1, 3, 5) },
        { "if r1 s< r2 goto -0x5", Jmp(BpfOp.Jslt, R1, R2, -5) },
        { "if r1 s> 0x3 goto -0x5", Jmp(BpfOp.Jsgt, R1, 3, -5) },
        { "if w1 & w2 goto +0x5", Jmp32(BpfOp.Jset, R1, R2, 5) },
        { "if w1 s>= -0x3 goto +0x5", Jmp32(BpfOp.Jsge, R1, -3, 5) },
        { "goto +0x7", Ja(7) }, { "gotol -0x10000", Gotol(-65536) }, { "may_goto +0x7", MayGoto(7) },
        { "call 0x7", Call(7) }, { "exit", Exit() },
    };

    [Theory, MemberData(nameof(Insns))]
    public void Method_OfOneInsn_IsItsText(string text, BpfInsn insn) =>
        Disassembler.Text(insn, null, DisasmCpu.V4).Should().Be(text);

    [Fact]
    public void Labels_OfEveryJump_BecomeDistances()
    {
        AsmProgram program =
        [
            Label("top"), Jeq(R1, 3, "end"), Jne(R1, 3, "end"), Jgt(R1, 3, "end"), Jge(R1, 3, "end"),
            Jlt(R1, 3, "end"), Jle(R1, 3, "end"),
            Jmp(BpfOp.Jset, R1, R2, "top"), Jmp(BpfOp.Jset, R1, 4, "top"), Jmp32(BpfOp.Jset, R1, R2, "top"),
            Jmp32(BpfOp.Jset, R1, 4, "top"),
            Ja("end"), Gotol("top"), MayGoto("end"), Call("end"), .. LdAddr(R4, "end"), Label("end"), Exit(),
        ];
        program.Insns.Should().Equal(
            Jeq(R1, 3, 15), Jne(R1, 3, 14), Jgt(R1, 3, 13), Jge(R1, 3, 12), Jlt(R1, 3, 11), Jle(R1, 3, 10),
            Jmp(BpfOp.Jset, R1, R2, -7), Jmp(BpfOp.Jset, R1, 4, -8), Jmp32(BpfOp.Jset, R1, R2, -9),
            Jmp32(BpfOp.Jset, R1, 4, -10),
            Ja(5), Gotol(-12), MayGoto(3), CallRel(2), LdImm64(R4, BpfOp.PseudoFunc, 1)[0], default, Exit());
        program.Symbols.Should().BeEmpty();
        program.Labels.Should().HaveCount(2).And.Contain("top", 0).And.Contain("end", 16);
    }

    [Fact]
    public void Names_ThatAreNoLabels_AreSymbols()
    {
        AsmProgram program = [Call("kfunc"), .. LdAddr(R4, "map", 8), Exit()];
        program.Symbols.Should().Equal(
            new AsmSymbol(0, AsmSymbolKind.Call, "kfunc", 0), new AsmSymbol(1, AsmSymbolKind.Address, "map", 8));
        program.Insns[0].Src.Should().Be(BpfOp.PseudoKfuncCall);
        program.Insns[1].Should().Be(LdImm64(R4, 0)[0]);
    }

    [Theory]
    [InlineData(short.MaxValue, true)]
    [InlineData(short.MaxValue + 1, false)]
    public void Jump_OverTooMuch_IsRefused(int between, bool isNear)
    {
        var forwards = () => AsmProgram.Create([Jeq(R1, 0, "far"), .. Padding(between), Label("far"), Exit()]);
        var backwards = () => AsmProgram.Create([Label("far"), .. Padding(between), Jeq(R1, 0, "far")]);
        var far = () => AsmProgram.Create([Gotol("far"), .. Padding(between), Label("far"), Exit()]);

        far().Insns[0].Imm.Should().Be(between);
        if (isNear)
        {
            forwards().Insns[0].Off.Should().Be((short)between);
            backwards().Insns[^1].Off.Should().Be((short)(-between - 1));
        }
        else
        {
            forwards.Should().Throw<ArgumentException>().WithMessage($"label far is {between} slots away*");
            backwards.Should().Throw<ArgumentException>().WithMessage($"label far is {-between - 1} slots away*");
        }
    }

    [Fact]
    public void Label_ThatIsThereTwiceOrNowhere_IsNamed()
    {
        FluentActions.Invoking(() => AsmProgram.Create([Label("a"), Exit(), Label("a")]))
            .Should()
            .Throw<ArgumentException>()
            .WithMessage("label a is there twice*");
        FluentActions.Invoking(() => AsmProgram.Create([Ja("b")])).Should().Throw<ArgumentException>().WithMessage(
            "label b is nowhere*");
    }

    [Fact]
    public void Program_WrittenIntoAnother_KeepsItsSlots()
    {
        AsmProgram inner = [Mov(R0, 1), Exit()];
        AsmProgram outer = [Mov(R1, 2), .. inner, AsmItem.FromBpfInsn(Exit())];
        outer.Insns.Should().Equal(Mov(R1, 2), Mov(R0, 1), Exit(), Exit());
    }

    private static IEnumerable<AsmItem> Padding(int count) => Enumerable.Repeat((AsmItem)Mov(R0, 0), count);
}
