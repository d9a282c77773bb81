using Kptr.Isa;
using Kptr.Verifier.Cfg;
using static Kptr.Isa.Asm;
using static Kptr.Tests.Verifier.Cfg.CfgCode;

namespace Kptr.Tests.Verifier.Cfg;

/// <summary>Loops by the code's shape, and the registers that are read from an instruction on.</summary>
public class LoopShapeTests
{
    [Fact]
    public void StraightCode_HasNoLoop() =>
        LoopsOf(new CfgCode(Jeq(BpfReg.R1, 0, 1), Mov(BpfReg.R0, 1), Exit())).Should().Equal(0, 0, 0);

    [Fact]
    public void Loops_OneAfterAnother_AreTwo() =>
        LoopsOf(new CfgCode(
            Mov(BpfReg.R1, 3), Add(BpfReg.R1, -1), Jne(BpfReg.R1, 0, -2), Jne(BpfReg.R2, 0, -1), Exit()))
            .Should().Equal(0, 2, 2, 1, 0);

    [Fact]
    public void Loop_InALoop_IsPartOfIt() =>
        LoopsOf(new CfgCode(Add(BpfReg.R1, -1), Jne(BpfReg.R1, 0, -2), Jne(BpfReg.R2, 0, -3), Exit()))
            .Should().Equal(1, 1, 1, 0);

    [Fact]
    public void Call_IsNoPartOfACallersLoop_AndACallbackIsOne() =>
        LoopsOf(new CfgCode(
            /* 0 */ CallRel(2), Jne(BpfReg.R0, 0, -2), Exit(), /* 3 */ Call(RunsCallback), Exit()))
            .Should().Equal(1, 1, 0, 2, 0);

    [Fact]
    public void Registers_LiveUntilTheirLastRead() =>
        LiveOf(new CfgCode(
            Mov(BpfReg.R6, 1), Mov(BpfReg.R0, BpfReg.R6), Jeq(BpfReg.R0, 0, 1), Mov(BpfReg.R0, BpfReg.R7), Exit()))
            .Should().Equal("7", "67", "07", "7", "0");

    [Fact]
    public void Calls_ReadTheirArguments_AndForgetWhatTheyMayChange() =>
        LiveOf(new CfgCode(Call(ClobbersR0), Mov(BpfReg.R6, BpfReg.R0), CallRel(1), Exit(), Exit()))
            .Should().Equal("", "012345", "12345", "0", "0");

    [Fact]
    public void Loop_KeepsWhatItsNextRoundReads() =>
        LiveOf(new CfgCode(Mov(BpfReg.R0, BpfReg.R8), Add(BpfReg.R9, -1), Jne(BpfReg.R9, 0, -3), Exit()))
            .Should().Equal("89", "089", "089", "0");

    private static IEnumerable<int> LoopsOf(CfgCode code)
    {
        var loops = new LoopComponents(code.Insns, code.Marks());
        return Enumerable.Range(0, code.Insns.Length).Select(loops.Of);
    }

    private static IEnumerable<string> LiveOf(CfgCode code)
    {
        var live = new LiveRegisters(code.Insns, code);
        return Enumerable.Range(0, code.Insns.Length).Select(i => string.Concat(
            Enumerable.Range(0, 11).Where(r => (live.Before(i) & (1 << r)) != 0)));
    }
}
