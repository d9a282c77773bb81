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

    /// <summary>Where a path comes by again, it is remembered seldom: rounds of a loop differ little.</summary>
    [Theory]
    [InlineData(19, 99, false, false)]
    [InlineData(20, 8, false, true)]
    [InlineData(2, 100, false, true)]
    [InlineData(0, 0, true, true)]
    public void Path_ThatComesByAgain_IsRememberedByWhatItDidMeanwhile(
        int jumps, int insns, bool isCheckpoint, bool expected)
    {
        var states = Make(remembersAll: false);
        states.Look(State(0), At() with { InsnsProcessed = 50, JmpsProcessed = 5 }, out _);
        states.Total.Should().Be(1);
        var at = At() with { InsnsProcessed = 50 + insns, JmpsProcessed = 5 + jumps, IsCheckpoint = isCheckpoint };
        states.Look(State(1), at, out _).Should().Be(Visit.GoesOn);
        states.Total.Should().Be(expected ? 2 : 1);
        states.Peak.Should().Be(states.Total);
    }

    /// <summary>A path that came back to where it was never ends, unless one thing has changed.</summary>
    [Fact]
    public void State_MetOnItsOwnPath_WithOneDifference_GoesOn()
    {
        Action<VerifierState>[] changes =
        [
            s => s.MayGotoDepth++, s => s.CallbackUnrollDepth++, s => s.Cur.Regs[6].Var = ScalarRange.Const(8),
            s => s.Cur.Regs[6].Id++, s => s.Cur.Regs[6].RefObjId++, s => s.Cur.Regs[10].RefObjId++,
            s => s.Cur.Stack[0].Spilled.IterDepth++, s => s.Cur.Stack[1].Spilled.IterDepth++,
            s => s.Cur.AsyncEntryCnt++,
        ];
        foreach (var change in changes.Prepend(_ => { }))
        {
            var (states, state) = (Make(), State(7));
            state.Cur.Stack = new StackSlot[2];
            state.Cur.SlotCount = 2;
            foreach (ref var slot in state.Cur.Stack.AsSpan())
            {
                slot.SetAll(SlotKind.Iter);
                slot.Spilled.IterState = IterState.Active;
            }

            state.Cur.InAsyncCallback = true;
            states.Look(state, At(), out _);
            change(state);
            states.Look(state, At(), out _).Should().Be(
                changes.Contains(change) ? Visit.GoesOn : Visit.NeverEnds, $"{Array.IndexOf(changes, change)}");
        }
    }

    /// <summary>Where loops end, a state is safe by what it is within, and with an iterator that has more.</summary>
    [Theory]
    [InlineData(LoopKind.IterNext, false, IterState.Active, Visit.Safe)]
    [InlineData(LoopKind.IterNext, false, IterState.Drained, Visit.GoesOn)]
    [InlineData(LoopKind.IterNext, true, IterState.Active, Visit.GoesOn)]
    [InlineData(LoopKind.MayGoto, true, IterState.Active, Visit.GoesOn)]
    [InlineData(LoopKind.Callback, false, IterState.Drained, Visit.Safe)]
    [InlineData(LoopKind.Callback, true, IterState.Active, Visit.GoesOn)]
    public void State_MetAgainWhereLoopsEnd_IsHeldToWhatItWas(
        object kind, bool isOther, object iterator, object expected)
    {
        var (states, state) = (Make(), State(7));
        state.Cur.Regs[1].MarkKnownZero(RegType.PtrToStack);
        state.Cur.Regs[1].Off = -16;
        state.Cur.Regs[1].Var = ScalarRange.Const(8);
        state.Cur.Stack = new StackSlot[2];
        state.Cur.SlotCount = 2;
        state.Cur.Stack[0].SetAll(SlotKind.Iter);
        state.Cur.Stack[0].Spilled.IterState = (IterState)iterator;
        states.Look(state, At((LoopKind)kind), out _);
        state.MayGotoDepth++;
        state.Cur.Regs[6].Var = ScalarRange.Const(isOther ? 8u : 7u);

        states.Look(state, At((LoopKind)kind), out _).Should().Be((Visit)expected);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void SlotsAndRegisters_ThatNobodyRead_AreForgottenOnceAllPathsEnd(bool areRead)
    {
        foreach (var reg in new[] { 0, 6, 9, -1, -2 })
        {
            var (states, first, second) = (Make(), State(7), State(7));
            foreach (var (state, value) in new[] { (first, 1ul), (second, 2ul) })
            {
                state.Cur.Stack = new StackSlot[2];
                state.Cur.SlotCount = 2;
                state.Cur.Stack[0].SetAll(SlotKind.Spill);
                state.Cur.Stack[1].SetAll(SlotKind.Spill);
                ref var place = ref Place(state, reg);
                place.MarkUnknown(precise: false);
                place.Var = ScalarRange.Const(value);
            }

            states.Look(first, At(), out _);
            if (areRead && reg >= 0)
            {
                LiveReads.MarkReg(first.Cur, reg);
            }
            else if (areRead)
            {
                LiveReads.MarkSlot(first.Cur, -1 - reg);
            }

            Place(first.Parent!, reg).Precise = true;
            LoopEntries.EndPath(first);
            states.Look(second, At(), out _).Should().Be(areRead ? Visit.GoesOn : Visit.Safe, $"{reg}");
        }

        static ref RegState Place(VerifierState state, int reg) =>
            ref reg >= 0 ? ref state.Cur.Regs[reg] : ref state.Cur.Stack[-1 - reg].Spilled;
    }

    [Theory, InlineData(false, 5), InlineData(true, 0)]
    public void Id_OfALoneNumber_IsForgottenWhereKernelsDo(bool forgets, int expected)
    {
        var states = new ExploredStates(_pool, new(false, false), true, true, true) { ForgetsLoneIds = forgets };
        states.Begin(insnCount: 10);
        var state = State(7);
        state.Cur.Regs[6].MarkUnknown(precise: false);
        state.Cur.Regs[6].Id = 5;
        states.Look(state, At(), out _);
        ((int)state.Cur.Regs[6].Id).Should().Be(expected);
    }

    /// <summary>A long history is reason enough.</summary>
    [Theory, InlineData(140, 0), InlineData(141, 1)]
    public void Path_OfALongHistory_IsRemembered(int end, int expected)
    {
        var states = Make(remembersAll: false);
        var state = State(0);
        (state.HistStart, state.HistEnd) = (100, end);
        states.Look(state, At(), out _);
        states.Total.Should().Be(expected);
        state.HistStart.Should().Be(expected == 0 ? 100 : end);
    }

    /// <summary>The fourth miss is one too many, where loops end the sixty-fifth, as long as a path is in it.</summary>
    [Theory]
    [InlineData(false, false, 4, 4)]
    [InlineData(true, false, 4, 4)]
    [InlineData(false, true, 4, 20)]
    [InlineData(true, true, 19, 20)]
    public void State_IsForgottenByItsMisses(bool isCheckpoint, bool isOnPath, int mostAtOnce, int kept)
    {
        var states = Make();
        for (var value = 0; value < 20; value++)
        {
            var state = State(value);
            states.Look(state, At() with { IsCheckpoint = isCheckpoint }, out _).Should().Be(Visit.GoesOn);
            LiveReads.MarkReg(state.Cur, 6);
            state.Parent!.Cur.Regs[6].Precise = true;
            if (!isOnPath)
            {
                LoopEntries.EndPath(state);
            }
        }

        (states.Total, states.Peak, states.MaxPerInsn).Should().Be((20, kept, mostAtOnce));
    }

    /// <summary>Who is not capable has at most 64 states to an instruction.</summary>
    [Theory, InlineData(true, 100), InlineData(false, 99)]
    public void States_OfOneInstruction_AreBounded(bool isCapable, int remembered)
    {
        var states = Make(isCapable);
        for (var value = 0; value < 100; value++)
        {
            states.Look(State(value), At() with { IsCheckpoint = true }, out _);
        }

        (states.Total, states.MaxPerInsn).Should().Be((remembered, 65));
    }

    [Fact]
    public void PrevEntry_IsTheNewestOfThePathAtTheInstruction()
    {
        var states = Make();
        var state = State(0);
        var remembered = new List<VerifierState>();
        foreach (var insn in new[] { Insn, Insn, Insn + 1, Insn })
        {
            state.Cur.Regs[6].Var = ScalarRange.Const((ulong)remembered.Count);
            states.Look(state, At() with { InsnIdx = insn }, out _).Should().Be(Visit.GoesOn);
            remembered.Add(state.Parent!);
        }

        states.FindPrevEntry(state, null, Insn).Should().BeNull();
        states.FindPrevEntry(state, remembered[3], Insn).Should().BeSameAs(remembered[1]);
        states.FindPrevEntry(state, remembered[3], Insn + 1).Should().BeSameAs(remembered[2]);
        states.FindPrevEntry(state, remembered[1], Insn).Should().BeSameAs(remembered[0]);
        states.FindPrevEntry(state, remembered[0], Insn).Should().BeNull("nothing was before it");
        states.FindPrevEntry(state, remembered[3], Insn + 2).Should().BeNull();
        remembered[1].Branches = 0;
        states.FindPrevEntry(state, remembered[3], Insn).Should().BeSameAs(remembered[0], "the other has ended");
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
