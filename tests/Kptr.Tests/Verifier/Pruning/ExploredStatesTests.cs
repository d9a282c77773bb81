using Kptr.Verifier.Pruning;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>What is remembered, what is found again, and what is forgotten: states alone, without a program.</summary>
public class ExploredStatesTests
{
    private const int Insn = 3;
    private readonly StatePool _pool = new();

    [Fact]
    public void State_ThatWasSafe_StandsForAnEqualOne()
    {
        var states = Make();
        var first = State(7);
        states.Look(first, At(), out _).Should().Be(Visit.GoesOn);
        LoopEntries.EndPath(first);

        states.Look(State(7), At(), out var seen).Should().Be(Visit.Safe);
        seen.Should().BeSameAs(first.Parent);
        states.Total.Should().Be(1, "a state that is safe is not remembered again");
    }

    [Fact]
    public void Value_ThatNobodyRead_IsForgottenOnceAllPathsEnd()
    {
        var states = Make();
        var first = State(7);
        states.Look(first, At(), out _);
        LoopEntries.EndPath(first);

        states.Look(State(8), At(), out _).Should().Be(Visit.Safe);
    }

    [Fact]
    public void Value_ThatWasReadAndMattered_KeepsStatesApart()
    {
        var states = Make();
        var first = State(7);
        states.Look(first, At(), out _);
        LiveReads.MarkReg(first.Cur, 6);
        first.Parent!.Cur.Regs[6].Precise = true;
        LoopEntries.EndPath(first);

        states.Look(State(8), At(), out _).Should().Be(Visit.GoesOn);
        states.Look(State(7), At(), out var seen).Should().Be(Visit.Safe);
        seen.Should().BeSameAs(first.Parent);
        states.Total.Should().Be(2);
    }

    [Fact]
    public void State_ThatIsMetOnItsOwnPath_NeverEnds()
    {
        var states = Make();
        var state = State(7);
        states.Look(state, At(), out _);

        states.Look(state, At(), out _).Should().Be(Visit.NeverEnds);
    }

    [Theory]
    [InlineData(LoopKind.MayGoto)]
    [InlineData(LoopKind.IterNext)]
    [InlineData(LoopKind.Callback)]
    public void State_ThatIsMetAgainWhereLoopsEnd_IsSafe(object kind)
    {
        var states = Make();
        var state = State(7);
        state.Cur.Regs[1].MarkKnownZero(RegType.PtrToStack);
        state.Cur.Regs[1].Off = -8;
        state.Cur.Stack = new StackSlot[1];
        state.Cur.SlotCount = 1;
        state.Cur.Stack[0].SetAll(SlotKind.Iter);
        state.Cur.Stack[0].Spilled.IterState = IterState.Active;
        states.Look(state, At((LoopKind)kind), out _);
        state.MayGotoDepth++;

        states.Look(state, At((LoopKind)kind), out _).Should().Be(Visit.Safe);
    }

    [Fact]
    public void State_AfterFewJumps_IsNotRemembered_ButAtACheckpoint()
    {
        var states = Make(remembersAll: false);
        states.Look(State(7), At() with { InsnsProcessed = 7, JmpsProcessed = 2 }, out _);
        states.Look(State(7), At() with { InsnsProcessed = 8, JmpsProcessed = 1 }, out _);
        states.Total.Should().Be(0);

        states.Look(State(7), At() with { IsCheckpoint = true }, out _);
        states.Total.Should().Be(1);
        states.Look(State(7), At() with { InsnIdx = Insn + 1, InsnsProcessed = 8, JmpsProcessed = 2 }, out _);
        states.Total.Should().Be(2);
    }

    [Fact]
    public void State_ThatHardlyEverHits_GoesBackToThePool()
    {
        var states = Make();
        for (var value = 0; value < 20; value++)
        {
            var state = State(value);
            states.Look(state, At(), out _).Should().Be(Visit.GoesOn);
            LiveReads.MarkReg(state.Cur, 6);
            state.Parent!.Cur.Regs[6].Precise = true;
            LoopEntries.EndPath(state);
        }

        states.Total.Should().Be(20);
        states.Peak.Should().BeLessThan(10);
        states.MaxPerInsn.Should().BeLessThan(10);
    }

    [Fact]
    public void Scalars_OfAStateThatIsRemembered_AreImpreciseAgain_UnlessTheLoaderIsNotCapable()
    {
        foreach (var isCapable in new[] { true, false })
        {
            var state = State(7);
            state.Cur.Regs[6].Precise = true;
            Make(isCapable: isCapable).Look(state, At(), out _);

            state.Cur.Regs[6].Precise.Should().Be(!isCapable);
        }
    }

    [Fact]
    public void Search_WhereEveryPathIsExplored_FindsNothing()
    {
        var states = Make(searches: false);
        var first = State(7);
        states.Look(first, At(), out _);
        LoopEntries.EndPath(first);

        var second = State(7);
        states.Look(second, At(), out _).Should().Be(Visit.GoesOn);
        LoopEntries.EndPath(second);
        states.Look(State(7), At() with { IsCheckpoint = true }, out _).Should().Be(Visit.Safe);
    }

    private ExploredStates Make(bool isCapable = true, bool searches = true, bool remembersAll = true)
    {
        var states = new ExploredStates(_pool, new(false, false), isCapable, searches, remembersAll);
        states.Begin(insnCount: 10);
        return states;
    }

    private static VisitPoint At(LoopKind loop = LoopKind.None) => new(Insn, false, loop, 0, 0, 0);

    private static VerifierState State(int value)
    {
        var state = new VerifierState { Branches = 1 };
        state.Frames[0] = new FuncState();
        state.Frames[0]!.Init(callsite: -1, frameno: 0, subprogno: 0);
        ref var reg = ref state.Cur.Regs[6];
        reg.MarkUnknown(precise: false);
        reg.Var = ScalarRange.Const((ulong)value);
        return state;
    }
}
