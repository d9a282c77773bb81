using System.Numerics;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <summary>How equal two states must be.</summary>
internal enum ExactLevel
{
    /// <summary>The old state is as safe as the new one in what was read of it.</summary>
    NotExact,

    /// <summary>Equal but for ids.</summary>
    Exact,

    /// <summary>The old state's ranges contain the new one's, read or not.</summary>
    RangeWithin,
}

/// <summary>Compares states: whether an old one that turned out safe proves the current one safe.</summary>
/// <remarks>Kernel: <c>states_equal</c> and what it calls (6.12).</remarks>
internal sealed partial class StateComparer(bool allowUninitStack, bool ignoresPrecision)
{
    private const uint AllRegs = 0x7ff;
    private const ulong AllMisc = (ulong)SlotKind.Misc * 0x0101010101010101;
    private readonly IdMap _ids = new();

    /// <summary>
    /// Set once an offset that is added to a pointer must be masked: other values of it might be masked otherwise, so
    /// that numbers must be the same (<c>explore_alu_limits</c>).
    /// </summary>
    public bool ComparesNumbersExactly { get; set; }

    /// <summary>
    /// Whether what an old state has not written is compared in loops too: in 6.12. In 7.2 what it has not, it cannot
    /// have used.
    /// </summary>
    public bool ComparesUnwritten { get; init; } = true;

    /// <summary>
    /// Whether states have lost what nothing reads (<c>DeadPlaces</c>): then all that is left is compared, else only
    /// what was read.
    /// </summary>
    public bool StatesAreClean { get; init; }

    /// <summary>Whether a loop's round keeps a number whose value stays and whose link with others does not.</summary>
    public bool WidensByValue { get; init; }

    private static readonly RegState Unbound = MakeUnbound();

    /// <summary>Whether <paramref name="cur"/> is safe because <paramref name="old"/> was.</summary>
    public bool AreEqual(VerifierState old, VerifierState cur, ExactLevel exact, int idGen)
    {
        if (old.CurFrame != cur.CurFrame || (old.Speculative && !cur.Speculative)
            || old.RcuDepth != cur.RcuDepth
            || old.ActivePreemptLock != cur.ActivePreemptLock
            || old.InSleepable != cur.InSleepable)
        {
            return false;
        }

        _ids.Reset(idGen);
        if (!LocksEqual(old.Lock, cur.Lock) || !SavesEqual(old.IrqsOff, cur.IrqsOff))
        {
            return false;
        }

        for (var i = 0; i <= old.CurFrame; i++)
        {
            FuncState fold = old.Frames[i]!, fcur = cur.Frames[i]!;
            if (fold.Callsite != fcur.Callsite || !FramesEqual(fold, fcur, exact))
            {
                return false;
            }
        }

        return true;
    }

    private bool LocksEqual(HeldLock? old, HeldLock? cur)
    {
        for (; old is not null && cur is not null; (old, cur) = (old.Outer, cur.Outer))
        {
            if (old.Kind != cur.Kind || !ReferenceEquals(old.Owner, cur.Owner) || !_ids.Check(old.Id, cur.Id))
            {
                return false;
            }
        }

        return old is null && cur is null;
    }

    private bool SavesEqual(IrqSave? old, IrqSave? cur)
    {
        for (; old is not null && cur is not null; (old, cur) = (old.Outer, cur.Outer))
        {
            if (!_ids.Check(old.Id, cur.Id))
            {
                return false;
            }
        }

        return old is null && cur is null;
    }

    /// <summary>
    /// Forgets imprecise scalars of <paramref name="cur"/> that changed since <paramref name="old"/>, so that loops
    /// converge (<c>widen_imprecise_scalars</c>).
    /// </summary>
    public void WidenImpreciseScalars(VerifierState old, VerifierState cur, int idGen, bool alwaysPrecise)
    {
        _ids.Reset(idGen);
        for (var fr = old.CurFrame; fr >= 0; fr--)
        {
            FuncState fold = old.Frames[fr]!, fcur = cur.Frames[fr]!;
            for (var i = 0; i < fold.Regs.Length; i++)
            {
                MaybeWiden(fold.Regs[i], ref fcur.Regs[i], alwaysPrecise);
            }

            var slots = Math.Min(fold.SlotCount, fcur.SlotCount);
            for (var i = 0; i < slots; i++)
            {
                if (fold.Stack[i].IsSpill && fcur.Stack[i].IsSpill)
                {
                    MaybeWiden(fold.Stack[i].Spilled, ref fcur.Stack[i].Spilled, alwaysPrecise);
                }
            }
        }
    }

    private void MaybeWiden(in RegState old, ref RegState cur, bool alwaysPrecise)
    {
        if (old.Type == RegType.Scalar && cur.Type == RegType.Scalar && !old.Precise && !cur.Precise
            && !(WidensByValue ? old.SameValue(cur) : RegsExact(old, cur)))
        {
            cur.MarkUnknown(alwaysPrecise);
        }
    }

    private static RegState MakeUnbound()
    {
        var reg = default(RegState);
        reg.MarkUnknown(precise: false);
        return reg;
    }

    private bool FramesEqual(FuncState old, FuncState cur, ExactLevel exact)
    {
        if (old.CallbackDepth > cur.CallbackDepth)
        {
            return false;
        }

        // What nobody read does not matter, unless loops ask for equal states.
        var comparesAll = StatesAreClean || exact != ExactLevel.NotExact;
        for (var regs = comparesAll ? AllRegs : old.Live.ReadRegs; regs != 0; regs &= regs - 1)
        {
            var i = BitOperations.TrailingZeroCount(regs);
            if (!RegSafe(old.Regs[i], cur.Regs[i], exact))
            {
                return false;
            }
        }

        if (!StackSafe(old, cur, exact) || old.RefCount != cur.RefCount)
        {
            return false;
        }

        for (var i = 0; i < old.RefCount; i++)
        {
            if (!_ids.Check(old.Refs[i].Id, cur.Refs[i].Id))
            {
                return false;
            }
        }

        return true;
    }

    private bool RegsExact(in RegState old, in RegState cur) =>
        old.SameValue(cur) && _ids.Check(old.Id, cur.Id) && _ids.Check(old.RefObjId, cur.RefObjId);

    /// <summary>Kernel: <c>regsafe</c>.</summary>
    private bool RegSafe(in RegState old, in RegState cur, ExactLevel exact)
    {
        if (exact == ExactLevel.Exact)
        {
            return RegsExact(old, cur);
        }

        if (old.Type == RegType.NotInit
            && (exact == ExactLevel.NotExact || !ComparesUnwritten || cur.Type == RegType.NotInit))
        {
            return true;
        }

        if (old.Type != cur.Type)
        {
            return false;
        }

        switch (old.Type.Base())
        {
            case RegType.Scalar:
                return ScalarSafe(old, cur, exact);
            case RegType.PtrToMapKey or RegType.PtrToMapValue or RegType.PtrToMem or RegType.PtrToBuf
                or RegType.PtrToTpBuffer:
                return old.SamePlace(cur) && old.Var.IsSupersetOf(cur.Var)
                    && _ids.Check(old.Id, cur.Id) && _ids.Check(old.RefObjId, cur.RefObjId);
            case RegType.PtrToPacketMeta or RegType.PtrToPacket:
                return PacketSafe(old, cur);
            case RegType.PtrToStack:
                return RegsExact(old, cur) && old.Frameno == cur.Frameno;
            case RegType.PtrToArena:
                return true;
            default:
                return RegsExact(old, cur);
        }
    }

    private bool ScalarSafe(in RegState old, in RegState cur, ExactLevel exact)
    {
        if (ComparesNumbersExactly)
        {
            return old.SameValue(cur) && _ids.CheckScalar(old.Id, cur.Id);
        }

        if (!old.Precise && !ignoresPrecision && exact == ExactLevel.NotExact)
        {
            return true;
        }

        var difference = old.Id & RegState.AddConst;
        if (old.Id != 0 && difference != (cur.Id & RegState.AddConst))
        {
            return false;
        }

        if (difference != 0 && old.Off != cur.Off)
        {
            return false;
        }

        return _ids.CheckScalar(old.Id, cur.Id) && old.Var.IsSupersetOf(cur.Var);
    }

    private bool PacketSafe(in RegState old, in RegState cur)
    {
        if (old.PktRange < 0 || cur.PktRange < 0 ? old.PktRange != cur.PktRange : old.PktRange > cur.PktRange)
        {
            return false;
        }

        return old.Off == cur.Off && _ids.Check(old.Id, cur.Id) && old.Var.IsSupersetOf(cur.Var);
    }
}
