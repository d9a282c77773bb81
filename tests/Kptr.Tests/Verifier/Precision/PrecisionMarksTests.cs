using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Tests.Verifier.Cfg;
using Kptr.Verifier.Precision;
using Kptr.Verifier.State;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Verifier.Precision;

/// <summary>Marks of the states that a path went through: those alone that the number came from.</summary>
public class PrecisionMarksTests
{
    private readonly PathHistory _history = new();
    private readonly List<string> _log = [];

    private static readonly BpfInsn[] s_moves =
        [Mov(R3, 7), /* 1 */ Mov(R2, R3), Mov(R4, 1), /* 3 */ Mov(R1, R2), Mov(R5, 1), /* 5 */ Exit()];

    [Fact]
    public void Number_IsMarkedInAllStatesThatItCameFrom()
    {
        var states = Chain(1, 3);
        Make(s_moves).MarkReg(states[^1], insnIdx: 5, regno: 1);

        Marked(states[1]).Should().Equal("r2");
        Marked(states[0]).Should().Equal("r3");
        Marked(states[2]).Should().BeEmpty("the current state needs no mark");
    }

    [Fact]
    public void Walk_EndsWhereTheNumberWasMade()
    {
        var states = Chain(1, 3);
        Make([.. s_moves[..3], Mov(R1, 7), .. s_moves[4..]]).MarkReg(states[^1], insnIdx: 5, regno: 1);

        states.SelectMany(Marked).Should().BeEmpty();
    }

    [Fact]
    public void Walk_EndsWhereTheNumberIsPreciseAlready()
    {
        var states = Chain(1, 3);
        states[1].Cur.Regs[2].Precise = true;
        Make(s_moves).MarkReg(states[^1], insnIdx: 5, regno: 1);

        Marked(states[0]).Should().BeEmpty("its own mark would be there already");
    }

    [Fact]
    public void Slot_IsMarkedToo()
    {
        var states = Chain(1, 3);
        _history.Push(states[0], 0, -1, HistFlags.Access(0, 1), 0);
        states[1].HistStart = states[1].HistEnd = states[2].HistStart = states[2].HistEnd = 1;
        Make([St(BpfOp.Dw, R10, -16, 5), .. s_moves[1..]]).MarkSlot(states[^1], insnIdx: 5, frame: 0, slot: 1);

        Marked(states[1]).Should().Equal("fp-16");
        Marked(states[0]).Should().Equal("fp-16");
        _log.Should().NotContain(l => l.StartsWith("all"), "it was written at 0");
    }

    [Fact]
    public void WhatCannotBeTold_MarksAllNumbersOfAllEarlierStates()
    {
        var states = Chain(1, 3);
        Make([.. s_moves[..3], Stx(BpfOp.Dw, R6, 0, R1), .. s_moves[4..]])
            .MarkReg(states[^1], insnIdx: 5, regno: 6);

        Marked(states[0]).Should().HaveCount(10 + 2);
        Marked(states[1]).Should().HaveCount(10 + 2);
        _log.Should().EndWith("all of frame 0");
    }

    [Fact]
    public void WhatAnEqualStateNeeds_IsNeededOfThisPath()
    {
        var states = Chain(1, 3);
        var old = NewState(5);
        var marks = Make(s_moves);
        old.Cur.Regs[1].Precise = old.Cur.Regs[7].Precise = true;
        old.Cur.Live.ReadRegs = 1 << 1;
        states[^1].InsnIdx = 5;

        marks.Propagate(old, states[^1]).Should().BeTrue();
        Marked(states[1]).Should().Equal(["r2"], "r7 is precise there, and nobody read it");
        Marked(states[0]).Should().Equal("r3");
        marks.Propagate(old, states[^1]).Should().BeFalse("there is nothing new");
    }

    [Fact]
    public void ArgumentsOfAGlobalFunction_AreMarkedAtItsEntry()
    {
        var state = NewState(2);
        (state.Cur.Subprogno, state.Cur.Callsite, state.LastInsnIdx) = (1, -1, -1);
        var cur = NewState(2);
        cur.Parent = state;
        Make([CallRel(1), Exit(), Mov(R2, R1), Exit()]).MarkReg(cur, insnIdx: 3, regno: 2);

        Marked(state).Should().Equal("r1");
        _log.Should().NotContain(l => l.StartsWith("all"));
    }

    [Fact]
    public void LoaderWithoutCapabilities_HasNothingToMark()
    {
        var states = Chain(1, 3);
        Make(s_moves, isCapable: false).MarkReg(states[^1], insnIdx: 5, regno: 1);
        Make(s_moves, isCapable: false).MarkSlot(states[^1], insnIdx: 5, frame: 0, slot: 0);

        states.SelectMany(Marked).Should().BeEmpty();
    }

    [Fact]
    public void Pointer_HasNoPrecision()
    {
        var states = Chain(1);
        states[^1].Cur.Regs[1].Type = RegType.PtrToCtx;
        FluentActions.Invoking(() => Make([Mov(R2, R1), Exit()]).MarkReg(states[^1], insnIdx: 1, regno: 1))
            .Should().Throw<InvariantException>();
    }

    [Fact]
    public void Log_SaysWhatIsLookedForStepByStep()
    {
        Make(s_moves).MarkReg(Chain(1, 3)[^1], insnIdx: 5, regno: 1);

        _log.Should().Equal(
            "frame 0: 5 to 3, then -1", "r1 before 4", "r1 before 3", "r2 in the state at 3",
            "frame 0: 2 to 1, then 3", "r2 before 2", "r2 before 1", "r3 in the state at 1",
            "frame 0: 0 to 0, then 1", "r3 before 0");
    }

    private PrecisionMarks Make(BpfInsn[] code, bool isCapable = true)
    {
        var calls = new CfgCode(code);
        var subprogs = calls.Subprogs();
        var log = new Log(_log);
        return new(new Backtracker(code, subprogs, calls, log), _history, isCapable, log);
    }

    /// <summary>States remembered at these instructions of a path from 0, and the current one.</summary>
    private static List<VerifierState> Chain(params int[] insns)
    {
        var cur = NewState(first: 0);
        List<VerifierState> all = [];
        foreach (var insn in insns)
        {
            (cur.InsnIdx, cur.LastInsnIdx) = (insn, insn - 1);
            all.Add(cur);
            cur = NewState(first: insn);
            cur.Parent = all[^1];
        }

        return [.. all, cur];
    }

    private static VerifierState NewState(int first)
    {
        var state = new VerifierState { FirstInsnIdx = first };
        var frame = state.Frames[0] = new FuncState();
        for (var i = 0; i < 10; i++)
        {
            frame.Regs[i].MarkUnknown(precise: false);
        }

        frame.GrowStack(2);
        foreach (ref var slot in frame.Stack.AsSpan(0, 2))
        {
            slot.SetAll(SlotKind.Spill);
            slot.Spilled.MarkUnknown(precise: false);
        }

        return state;
    }

    private static IEnumerable<string> Marked(VerifierState state) =>
    [
        .. Enumerable.Range(0, 10).Where(r => state.Cur.Regs[r].Precise).Select(r => $"r{r}"),
        .. Enumerable.Range(0, 2).Where(s => state.Cur.Stack[s].Spilled.Precise).Select(s => $"fp{-8 * (s + 1)}"),
    ];

    private sealed class Log(List<string> lines) : IPrecisionLog
    {
        public void Stretch(int frame, int last, int first, int subseq) =>
            lines.Add($"frame {frame}: {last} to {first}, then {subseq}");

        public void Before(in BacktrackSet set, int insnIdx) =>
            lines.Add($"{string.Join(' ', set.NamesOfRegs(set.Frame))} before {insnIdx}");

        public void InState(in BacktrackSet set, VerifierState state, int frame) =>
            lines.Add($"{string.Join(' ', set.NamesOfRegs(frame))} in the state at {state.InsnIdx}");

        public void Propagated(in BacktrackSet set, int frame) => lines.Add($"propagated in {frame}");

        public void AllMarked(int frame) => lines.Add($"all of frame {frame}");
    }
}
