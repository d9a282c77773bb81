namespace Kptr.Verifier.State;

/// <summary>Everything known at one point of one path: the frames and what surrounds them.</summary>
/// <remarks>Kernel: <c>struct bpf_verifier_state</c> (6.12).</remarks>
internal sealed class VerifierState
{
    public readonly FuncState?[] Frames = new FuncState?[Limits.MaxCallFrames];
    public VerifierState? Parent;

    /// <summary>The next state remembered in the same bucket.</summary>
    public VerifierState? Next;

    /// <summary>Paths from here that are not explored to their end yet.</summary>
    public int Branches;
    public int InsnIdx;

    /// <summary>Index of the innermost frame.</summary>
    public int CurFrame;

    /// <summary>The spin lock taken last of those held; null when none is.</summary>
    public HeldLock? Lock;

    /// <summary>Where interrupts were switched off last; null while they are on.</summary>
    public IrqSave? IrqsOff;
    public bool Speculative;

    /// <summary>How many <c>bpf_rcu_read_lock</c> are open.</summary>
    public int RcuDepth;
    public int ActivePreemptLock;
    public bool UsedAsLoopEntry;
    public bool InSleepable;
    public int FirstInsnIdx;
    public int LastInsnIdx;
    public VerifierState? LoopEntry;

    /// <summary>This state's part of the instruction history: [start, end).</summary>
    public int HistStart;
    public int HistEnd;
    public int DfsDepth;
    public int CallbackUnrollDepth;
    public int MayGotoDepth;

    /// <summary>How often the state was compared in vain, and with success; for eviction.</summary>
    public int MissCount;
    public int HitCount;

    /// <summary>The innermost frame.</summary>
    public FuncState Cur => Frames[CurFrame]!;

    public bool LockHeld => Lock is not null;

    public bool ActiveRcuLock => RcuDepth != 0;

    /// <summary>The frame a stack pointer points into.</summary>
    public FuncState FrameOf(in RegState stackPtr) => Frames[stackPtr.Frameno]!;

    /// <summary>Sets or clears the mark of every scalar in registers and on the stack.</summary>
    public void SetAllScalarsPrecise(bool precise)
    {
        for (var i = 0; i <= CurFrame; i++)
        {
            var frame = Frames[i]!;
            foreach (ref var reg in frame.Regs.AsSpan(0, 10))
            {
                if (reg.Type == RegType.Scalar)
                {
                    reg.Precise = precise;
                }
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot.IsScalarSpill)
                {
                    slot.Spilled.Precise = precise;
                }
            }
        }
    }

    /// <summary>Copies all of <paramref name="other"/>; frames come from and go back to the pool.</summary>
    public void CopyFrom(VerifierState other, StatePool pool)
    {
        for (var i = other.CurFrame + 1; i < Frames.Length && Frames[i] is { } extra; i++)
        {
            pool.Return(extra);
            Frames[i] = null;
        }

        for (var i = 0; i <= other.CurFrame; i++)
        {
            (Frames[i] ??= pool.RentFrame()).CopyFrom(other.Frames[i]!);
        }

        CurFrame = other.CurFrame;
        Parent = other.Parent;
        Branches = other.Branches;
        InsnIdx = other.InsnIdx;
        Lock = other.Lock;
        IrqsOff = other.IrqsOff;
        Speculative = other.Speculative;
        RcuDepth = other.RcuDepth;
        ActivePreemptLock = other.ActivePreemptLock;
        UsedAsLoopEntry = other.UsedAsLoopEntry;
        InSleepable = other.InSleepable;
        FirstInsnIdx = other.FirstInsnIdx;
        LastInsnIdx = other.LastInsnIdx;
        LoopEntry = other.LoopEntry;
        HistStart = other.HistStart;
        HistEnd = other.HistEnd;
        DfsDepth = other.DfsDepth;
        CallbackUnrollDepth = other.CallbackUnrollDepth;
        MayGotoDepth = other.MayGotoDepth;
    }

    /// <summary>Whether both were reached through the same call instructions.</summary>
    public bool SameCallsites(VerifierState other)
    {
        if (CurFrame != other.CurFrame)
        {
            return false;
        }

        for (var i = CurFrame; i >= 0; i--)
        {
            if (Frames[i]!.Callsite != other.Frames[i]!.Callsite)
            {
                return false;
            }
        }

        return true;
    }
}
