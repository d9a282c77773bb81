using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.Cfg;
using static Kptr.Isa.Asm;
using static Kptr.Tests.Verifier.Cfg.CfgCode;

namespace Kptr.Tests.Verifier.Cfg;

/// <summary>The walk over the control flow: what it refuses, and what it marks.</summary>
public class CfgWalkTests
{
    private const CodeMarks Prune = CodeMarks.PrunePoint;
    private const CodeMarks Join = CodeMarks.PrunePoint | CodeMarks.JmpPoint;
    private const CodeMarks Target = Join | CodeMarks.JumpTarget;

    [Fact]
    public void Branch_MarksItselfAndItsTarget() =>
        new CfgCode(Jeq(BpfReg.R1, 0, 1), Mov(BpfReg.R0, 1), Exit()).Marks()
            .Should().Equal(Prune, CodeMarks.None, Target);

    [Fact]
    public void Goto_MarksItsTargetOnly() =>
        new CfgCode(Ja(0), Gotol(0), Exit()).Marks().Should().Equal(CodeMarks.None, Target, Target);

    [Fact]
    public void MayGoto_IsACheckpoint() =>
        new CfgCode(MayGoto(0), Exit()).Marks().Should().Equal(Prune | CodeMarks.ForceCheckpoint, Target);

    [Fact]
    public void Call_MarksItself_WhatFollowsAndTheCallee() =>
        new CfgCode(CallRel(1), Exit(), Exit()).Marks().Should().Equal(Prune, Join, Target);

    [Fact]
    public void CallOfACallbackTaker_IsACheckpointThatRunsIt() =>
        new CfgCode(Call(RunsCallback), Exit()).Marks()
            .Should().Equal(Join | CodeMarks.ForceCheckpoint | CodeMarks.CallsCallback, Join);

    [Fact]
    public void CallOfAnIteratorsNext_IsACheckpoint() =>
        new CfgCode(Call(IsIterNext), Exit()).Marks().Should().Equal(Prune | CodeMarks.ForceCheckpoint, Join);

    [Fact]
    public void Effects_OfACallee_AreThoseOfItsCallers()
    {
        // 0: calls 3; 3: calls 5; 5: throws and moves the packet; 8: is called by nobody that does.
        var code = new CfgCode(
            CallRel(2), CallRel(6), Exit(), /* 3 */ CallRel(1), Exit(), /* 5 */ Call(Throws), Call(MovesPacket), Exit(),
            /* 8 */ Exit());
        var subprogs = code.Subprogs();
        code.Marks(subprogs);

        subprogs.Select(s => (s.Start, s.MightThrow, s.ChangesPktData, s.MightSleep)).Should().Equal(
            (0, true, true, false), (3, true, true, false), (5, true, true, false), (8, false, false, false));
    }

    [Fact]
    public void Loop_IsTakenOnlyWithCapabilities()
    {
        var code = new CfgCode(Mov(BpfReg.R0, 0), Jeq(BpfReg.R0, 0, -2), Exit());

        code.Marks().Should().Equal(Target, Prune, CodeMarks.None);
        Refusal(() => code.Marks(loops: false)).Should().Be((DiagCode.BackEdge, 1));
    }

    [Fact]
    public void Insn_ThatNothingReaches_IsRefused() =>
        Refusal(() => new CfgCode(Ja(1), Mov(BpfReg.R0, 0), Exit()).Marks())
            .Should().Be((DiagCode.UnreachableInsn, 1));

    [Fact]
    public void Jump_IntoTheSecondSlotOfAnImmediate_IsRefused() =>
        Refusal(() => new CfgCode([Jeq(BpfReg.R1, 0, 1), .. LdImm64(BpfReg.R0, 1ul), Exit()]).Marks())
            .Should().Be((DiagCode.JumpOutOfRange, 1));

    [Fact]
    public void Goto_OfARegister_IsRefused() =>
        Refusal(() => new CfgCode(new BpfInsn((byte)InsnClass.Jmp | BpfOp.Ja | BpfOp.X, 0, 0, 0, 0), Exit()).Marks())
            .Should().Be((DiagCode.InsnReservedField, 0));
}
