using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.Cfg;
using static Kptr.Isa.Asm;
using static Kptr.Tests.Verifier.Cfg.CfgCode;

namespace Kptr.Tests.Verifier.Cfg;

/// <summary>The stack that chains of calls need, and the spills that the kernel takes off it.</summary>
public class StackShapeTests
{
    // 0 calls 1, 1 calls 2; sizes are rounded up to 16.
    private static readonly CfgCode Chain = new(CallRel(1), Exit(), CallRel(1), Exit(), Exit());

    [Theory]
    [InlineData(256, 128, 128, true)]
    [InlineData(256, 128, 129, false)]
    [InlineData(512, 0, 0, true)]
    [InlineData(497, 1, 0, false)]
    public void Depth_OfAChain_IsTheSumOfItsFrames(int first, int second, int third, bool taken)
    {
        var subprogs = Chain.Subprogs();
        (subprogs[0].StackDepth, subprogs[1].StackDepth, subprogs[2].StackDepth) = (first, second, third);
        var check = () => Chain.CheckStack(subprogs);
        if (taken)
        {
            check.Should().NotThrow();
        }
        else
        {
            Refusal(check).Code.Should().Be(DiagCode.StackDepthExceeded);
        }
    }

    [Fact]
    public void Depth_BelowACallThatReturned_IsGivenBack()
    {
        var code = new CfgCode(CallRel(2), CallRel(2), Exit(), Exit(), Exit());
        var subprogs = code.Subprogs();
        (subprogs[0].StackDepth, subprogs[1].StackDepth, subprogs[2].StackDepth) = (64, 448, 448);

        code.Invoking(c => c.CheckStack(subprogs)).Should().NotThrow();
    }

    [Theory]
    [InlineData(8, true)]
    [InlineData(9, false)]
    public void Depth_OfMoreFramesThanTheKernelKeeps_IsRefused(int frames, bool taken)
    {
        BpfInsn[] caller = [CallRel(1), Exit()];
        var code = new CfgCode([.. Enumerable.Repeat(caller, frames - 1).SelectMany(i => i), Exit()]);
        var check = () => code.CheckStack(code.Subprogs());
        if (taken)
        {
            check.Should().NotThrow();
        }
        else
        {
            Refusal(check).Code.Should().Be(DiagCode.CallDepthExceeded);
        }
    }

    [Theory]
    [InlineData(240, true)]
    [InlineData(256, false)]
    public void TailCall_BelowALargeStack_IsRefused(int depth, bool taken)
    {
        var code = new CfgCode(CallRel(1), Exit(), Call(12), Exit());
        var subprogs = code.Subprogs();
        subprogs[0].StackDepth = depth;
        var check = () => code.CheckStack(subprogs);
        if (taken)
        {
            check.Should().NotThrow();
            subprogs[0].TailCallReachable.Should().BeTrue("its callee may leave it by a tail call");
        }
        else
        {
            Refusal(check).Code.Should().Be(DiagCode.StackDepthExceeded);
        }
    }

    [Theory]
    [InlineData(ClobbersR0, -8, null, 8)] // the spill of 16 bytes down goes
    [InlineData(ClobbersR0AndCalls, -8, null, 16)] // the call stays a call
    [InlineData(5, -8, null, 16)] // clobbers all
    [InlineData(ClobbersR0, -8, -16, 16)] // something else looks at the spill
    [InlineData(ClobbersR0, -8, -8, 8)] // something else looks above it
    public void Spill_AroundACallThatKeepsTheRegister_IsTakenOffTheStack(int helper, int used, int? looked, int depth)
    {
        var code = new CfgCode(
            Stx(BpfOp.Dw, BpfReg.R10, (short)used, BpfReg.R0), Stx(BpfOp.Dw, BpfReg.R10, -16, BpfReg.R1), Call(helper),
            Ldx(BpfOp.Dw, BpfReg.R1, BpfReg.R10, -16), Exit());
        var subprogs = code.Subprogs();
        var spills = new FastcallSpills(code.Insns, subprogs);
        spills.Mark(code.Marks(subprogs), code);
        subprogs[0].StackDepth = 16;

        spills.Use(0, 0, used);
        spills.Use(0, 1, -16);
        spills.Use(0, 3, -16);
        if (looked is { } off)
        {
            spills.Use(0, 4, off);
        }

        spills.DropStack();
        subprogs[0].StackDepth.Should().Be(depth);
    }
}
