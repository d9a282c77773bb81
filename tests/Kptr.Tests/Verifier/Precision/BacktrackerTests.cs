using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Tests.Verifier.Cfg;
using Kptr.Verifier.Precision;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Verifier.Precision;

/// <summary>
/// What mattered before one instruction, given what mattered after it. Places are written as <c>r1 fp-8</c>, frames
/// apart from one another by a bar, the innermost last.
/// </summary>
public class BacktrackerTests
{
    private const byte Dw = BpfOp.Dw;

    [Fact]
    public void Value_ThatIsOverwritten_CameFromTheSource()
    {
        Before("r1 r2", Mov(R2, R3)).Should().Be("r1 r3");
        Before("r1 r2", Mov(R2, 5)).Should().Be("r1");
        Before("r1", Mov(R2, R3)).Should().Be("r1", "what it makes does not matter");
        Before("r2", Mov(R2, R10)).Should().Be("", "the frame pointer is no number");
    }

    [Fact]
    public void Value_ThatIsChanged_CameFromBothOperands()
    {
        Before("r2", Add(R2, R3)).Should().Be("r2 r3");
        Before("r2", Add(R2, 7)).Should().Be("r2");
        Before("r2", Neg(R2)).Should().Be("r2");
        Before("r2", Bswap(R2, 16)).Should().Be("r2");
        Before("r3", Add(R2, R3)).Should().Be("r3");
    }

    [Fact]
    public void Constant_EndsIt()
    {
        BpfInsn[] wide = [.. LdImm64(R2, 1ul << 40), Exit()];
        Before("r1 r2", 1, wide).Should().Be("r1 r2", "the second slot is none");
        Before("r1 r2", 0, wide).Should().Be("r1");
    }

    [Fact]
    public void Load_CameFromTheSlotThatTheHistoryNames()
    {
        var fp16OfTheCaller = new HistEntry { Flags = HistFlags.Access(0, 1) };
        Before("|r2 r7", Ldx(Dw, R2, R6, 0), fp16OfTheCaller).Should().Be("fp-16|r7");
        Before("r2", Ldx(Dw, R2, R6, 0)).Should().Be("", "memory is not tracked");
        Before("r7", Ldx(Dw, R2, R10, -16), fp16OfTheCaller).Should().Be("r7");
    }

    [Fact]
    public void Store_FillsTheSlotFromItsSource()
    {
        var fp8 = new HistEntry { Flags = HistFlags.Access(0, 0) };
        Before("fp-8", Stx(Dw, R10, -8, R3), fp8).Should().Be("r3");
        Before("fp-8 r3", St(Dw, R10, -8, 5), fp8).Should().Be("r3");
        Before("fp-16", Stx(Dw, R10, -8, R3), fp8).Should().Be("fp-16");
        Before("fp-8", Stx(Dw, R2, 0, R3)).Should().Be("fp-8", "it goes elsewhere");
        Before("r6", Stx(Dw, R6, 0, R3)).Should().BeNull("a pointer that is a number");
    }

    [Theory]
    [InlineData(BpfOp.Add | BpfOp.Fetch, "r1 r4", "r1")]
    [InlineData(BpfOp.Xchg, "r1 r4", "r1")]
    [InlineData(BpfOp.CmpXchg, "r0 r1", "r1")]
    [InlineData(BpfOp.CmpXchg, "r4", "r4")]
    [InlineData(BpfOp.Add, "r4", "r4")]
    public void AtomicThatFetches_IsALoad(int op, string after, string before) =>
        Before(after, Atomic(Dw, op, R6, 0, R4)).Should().Be(before);

    [Fact]
    public void Branch_AsksForBothNumbersThatItCompares()
    {
        Before("r2", Jmp(BpfOp.Jlt, R2, R3, 4)).Should().Be("r2 r3");
        Before("r3", Jmp(BpfOp.Jlt, R2, R3, 4)).Should().Be("r2 r3");
        Before("r4", Jmp(BpfOp.Jlt, R2, R3, 4)).Should().Be("r4");
        Before("r2", Jlt(R2, 3, 4)).Should().Be("r2");
        Before("r2", Jmp(BpfOp.Jlt, R2, R3, 4), new() { Flags = HistFlags.SrcRegStack }).Should().Be("r2");
        Before("r3", Jmp(BpfOp.Jlt, R2, R3, 4), new() { Flags = HistFlags.DstRegStack }).Should().Be("r3");
    }

    [Fact]
    public void NumbersThatLearntTogether_MatterTogether()
    {
        var linked = LinkedRegs.Pack([LinkedRegs.Entry(0, 2, isReg: true), LinkedRegs.Entry(0, 7, isReg: true)]);
        Before("r2", Jlt(R2, 3, 4), new() { LinkedRegs = linked }).Should().Be("r2 r7");
        Before("r4", Jlt(R2, 3, 4), new() { LinkedRegs = linked }).Should().Be("r4");
    }

    [Fact]
    public void HelperCall_MakesR0()
    {
        Before("r0 r6", Call((int)HelperId.GetPrandomU32)).Should().Be("r6");
        FluentActions.Invoking(() => Before("r1", Call((int)HelperId.GetPrandomU32)))
            .Should().Throw<InvariantException>("it left nothing there");
    }

    [Fact]
    public void FunctionThatWasEntered_HasItsArgumentsFromTheCall()
    {
        // 0: call 2; 1: exit; 2: exit
        BpfInsn[] code = [CallRel(1), Exit(), Exit()];
        Before("r6|r1 r2", 0, code, subseq: 2).Should().Be("r1 r2 r6");
        FluentActions.Invoking(() => Before("|r6", 0, code, subseq: 2)).Should().Throw<InvariantException>();
    }

    [Fact]
    public void FunctionThatReturned_IsWalkedThrough()
    {
        BpfInsn[] code = [CallRel(1), Exit(), Exit()];
        Before("r0 r6", 2, code, subseq: 1).Should().Be("r6|r0");
        Before("r6", 2, code, subseq: 1).Should().Be("r6|");
    }

    [Fact]
    public void GlobalFunction_MakesR0()
    {
        BpfInsn[] code = [CallRel(1), Exit(), Exit()];
        Before("r0 r6", 0, code, subseq: 1, isGlobal: true).Should().Be("r6");
    }

    [Fact]
    public void Callback_HasItsArgumentsFromNobody()
    {
        // 0: calls 3 again and again; 3: exit
        BpfInsn[] code = [Call(CfgCode.RunsCallback), Exit(), Exit(), Exit()];
        Before("r6|r1 r2", 0, code, subseq: 3).Should().Be("r6");
        Before("r0 r6", 0, code, subseq: 1).Should().Be("r6", "its own return value");
        Before("r0 r6", 3, code, subseq: 0).Should().Be("r6|", "its result is not the caller's");
    }

    [Fact]
    public void CallThatMayLeaveTheFunction_IsWalkedInto()
    {
        BpfInsn[] code = [CallRel(1), Exit(), Call((int)HelperId.TailCall), Exit()];
        Before("r6", 2, code, subseq: 3).Should().Be("r6");
        Before("r6", 2, code, subseq: 1).Should().Be("r6|", "it returned where the function was called");
        BpfInsn ldAbs = new((byte)InsnClass.Ld | BpfOp.Abs, 0, 0, 0, 0);
        Before("r6", 0, [ldAbs, Exit()], subseq: 1).Should().Be("r6");
        Before("r6", 0, [ldAbs, Exit()], subseq: 7).Should().Be("r6|");
        Before("r0", 0, [ldAbs, Exit()], subseq: 1).Should().BeNull("what it loads is not tracked");
    }

    [Fact]
    public void KfuncThatIsNotKnown_CannotBeTold() =>
        Before("r6", new((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoKfuncCall, 0, 0)).Should().BeNull();

    private static string? Before(string after, BpfInsn insn, HistEntry hist = default) =>
        Before(after, 0, [insn, Ja(3), Ja(2), Ja(1), Ja(0), Exit()], subseq: 1, hist: hist);

    private static string? Before(
        string after, int idx, BpfInsn[] code, int subseq = 1, bool isGlobal = false, HistEntry hist = default)
    {
        var calls = new CfgCode(code);
        var subprogs = calls.Subprogs();
        foreach (var sub in subprogs.Skip(1))
        {
            sub.IsGlobal = isGlobal;
        }

        var set = Parse(after);
        return new Backtracker(code, subprogs, calls, log: null).StepBack(ref set, idx, subseq, hist)
            ? Print(set) : null;
    }

    private static BacktrackSet Parse(string text)
    {
        var frames = text.Split('|');
        var set = new BacktrackSet { Frame = frames.Length - 1 };
        for (var i = 0; i < frames.Length; i++)
        {
            foreach (var place in frames[i].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                if (place[0] == 'r')
                {
                    set.SetReg(i, int.Parse(place[1..]));
                }
                else
                {
                    set.SetSlot(i, (-int.Parse(place[2..]) / 8) - 1);
                }
            }
        }

        return set;
    }

    private static string Print(BacktrackSet set) => string.Join('|', Enumerable.Range(0, set.Frame + 1).Select(
        f => string.Join(' ', [.. set.OffsetsOfSlots(f).Select(o => $"fp{o}"), .. set.NamesOfRegs(f)])));
}
