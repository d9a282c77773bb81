using Kptr.Diagnostics;
using Kptr.Isa;
using static Kptr.Isa.Asm;
using static Kptr.Tests.Verifier.Cfg.CfgCode;

namespace Kptr.Tests.Verifier.Cfg;

/// <summary>Which functions a program has, and that each keeps to itself.</summary>
public class SubprogTests
{
    [Fact]
    public void Subprogs_OfCallsAndAddresses_AreInOrderOfTheirStarts()
    {
        // The call at 0 names 6, the address at 1 names 4, and the call at 6 names 5.
        BpfInsn[] main = [CallRel(5), .. LdImm64(BpfReg.R2, BpfOp.PseudoFunc, 2), Exit()];
        var table = new CfgCode([.. main, Exit(), Exit(), CallRel(-2), Exit()]).Subprogs();

        table.Select(s => (s.Start, s.End)).Should().Equal((0, 4), (4, 5), (5, 6), (6, 8));
        Enumerable.Range(-1, 10).Select(table.Containing).Should().Equal(-1, 0, 0, 0, 0, 1, 2, 3, 3, -1);
        Enumerable.Range(-1, 10).Select(table.Find).Should().Equal(-1, 0, -1, -1, -1, 1, 2, 3, -1, -1);
        table.ExceptionCallback.Should().Be(0);
    }

    [Fact]
    public void Subprogs_AskForEveryKfunc_AndNoHelper()
    {
        var kfunc = new BpfInsn((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoKfuncCall, 0, 7);
        var code = new CfgCode(kfunc, Call(5), kfunc, Exit());

        code.Subprogs().Should().ContainSingle();
        code.AskedKfuncs.Should().Equal(0, 2);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(-3, 0)]
    [InlineData(int.MaxValue, 0)]
    [InlineData(int.MinValue, 0)]
    public void Subprogs_OutsideTheProgram_AreRefused(int delta, int at) =>
        Refusal(() => new CfgCode(CallRel(delta), Exit()).Subprogs()).Should().Be((DiagCode.SubprogInvalid, at));

    [Fact]
    public void Subprogs_OfALoaderWithoutCapabilities_AreRefusedAtTheCall() =>
        Refusal(() => new CfgCode(Mov(BpfReg.R0, 0), CallRel(1), Exit(), Exit()).Subprogs(capable: false))
            .Should().Be((DiagCode.PrivilegeMissing, 1));

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public void Subprogs_MoreThanTheKernelKeeps_AreRefused(int count, bool taken)
    {
        // Calls of the functions 1 to count - 1, an exit, and those functions of one exit each.
        BpfInsn[] insns =
        [
            .. Enumerable.Range(0, count - 1).Select(i => CallRel(count - 1)),
            .. Enumerable.Repeat(Exit(), count),
        ];
        var code = new CfgCode(insns);
        if (taken)
        {
            code.Subprogs().Count.Should().Be(count);
        }
        else
        {
            Refusal(() => code.Subprogs()).Should().Be((DiagCode.SubprogInvalid, count - 2));
        }
    }

    [Fact]
    public void Jump_IntoAnotherFunction_IsRefused() =>
        Refusal(() => new CfgCode(CallRel(2), Ja(1), Exit(), Exit()).Subprogs())
            .Should().Be((DiagCode.JumpOutOfRange, 1));

    [Fact]
    public void Function_ThatRunsIntoTheNext_IsRefused() =>
        Refusal(() => new CfgCode(CallRel(1), Mov(BpfReg.R0, 0), Exit()).Subprogs())
            .Should().Be((DiagCode.SubprogInvalid, 1));

    [Fact]
    public void TailCallAndPacketLoad_AreNotedInTheirFunction()
    {
        var ldAbs = new BpfInsn((byte)InsnClass.Ld | BpfOp.Abs | BpfOp.W, 0, 0, 0, 0);
        var table = new CfgCode(CallRel(2), Call(12), Exit(), ldAbs, Exit()).Subprogs();

        (table[0].HasTailCall, table[0].HasLdAbs).Should().Be((true, false));
        (table[1].HasTailCall, table[1].HasLdAbs).Should().Be((false, true));
    }
}
