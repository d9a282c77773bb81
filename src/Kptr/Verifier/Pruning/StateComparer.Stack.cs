using System.Numerics;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <content>Stacks, slot by slot.</content>
internal sealed partial class StateComparer
{
    private bool StackSafe(FuncState old, FuncState cur, ExactLevel exact)
    {
        if (StatesAreClean)
        {
            return CleanStackSafe(old, cur, exact);
        }

        if (exact == ExactLevel.NotExact)
        {
            return ReadSlotsSafe(old, cur);
        }

        var comparesKinds = exact == ExactLevel.Exact || ComparesUnwritten;
        for (var i = 0; i < old.SlotCount; i++)
        {
            ref var slot = ref old.Stack[i];
            if ((comparesKinds && (i >= cur.SlotCount || slot.Kinds != cur.Stack[i].Kinds))
                || (slot.Kinds != 0 && !SlotSafe(ref slot, cur, i, exact)))
            {
                return false;
            }
        }

        return true;
    }

    private bool ReadSlotsSafe(FuncState old, FuncState cur)
    {
        for (var slots = old.Live.ReadSlots; slots != 0; slots &= slots - 1)
        {
            var i = BitOperations.TrailingZeroCount(slots);
            ref var slot = ref old.Stack[i];
            if (slot.Kinds != 0 && !SlotSafe(ref slot, cur, i, ExactLevel.NotExact))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>One slot, byte by byte where it holds bytes.</summary>
    private bool SlotSafe(ref StackSlot old, FuncState cur, int i, ExactLevel exact)
    {
        if (BytesAsked(old.Kinds) == 0)
        {
            return true;
        }

        if (i >= cur.SlotCount)
        {
            return false;
        }

        ref var now = ref cur.Stack[i];
        var oldScalar = old.IsScalarSpill64;
        var nowScalar = now.IsScalarSpill64;
        if ((oldScalar || IsAllMisc(old.Kinds)) && (nowScalar || IsAllMisc(now.Kinds)))
        {
            ref readonly var oldReg = ref oldScalar ? ref old.Spilled : ref Unbound;
            ref readonly var nowReg = ref nowScalar ? ref now.Spilled : ref Unbound;
            return RegSafe(oldReg, nowReg, exact);
        }

        return (old.Kinds == now.Kinds || BytesSafe(old, now)) && SameKindSafe(old, now, exact);
    }

    private bool BytesSafe(in StackSlot old, in StackSlot now)
    {
        for (var j = 0; j < 8; j++)
        {
            var isSafe = old[j] == now[j] || IsAnyByte(old[j]) || (old[j] == SlotKind.Misc && now[j] == SlotKind.Zero);
            if (!isSafe)
            {
                return false;
            }
        }

        return true;
    }

    private bool IsAnyByte(SlotKind kind) =>
        kind is SlotKind.Invalid or SlotKind.Poison || (allowUninitStack && kind == SlotKind.Misc);

    /// <summary>The kinds without those that any byte is safe for: 0 where that is all.</summary>
    private ulong BytesAsked(ulong kinds) => allowUninitStack && IsAllMisc(kinds) ? 0 : kinds;

    private bool IsAllMisc(ulong kinds) => allowUninitStack ? (kinds & ~AllMisc) == 0 : kinds == AllMisc;

    private bool SameKindSafe(in StackSlot old, in StackSlot now, ExactLevel exact)
    {
        switch (old[7])
        {
            case SlotKind.Spill:
                return RegSafe(old.Spilled, now.Spilled, exact);
            case SlotKind.Dynptr:
                return old.Spilled.DynptrKind == now.Spilled.DynptrKind
                    && old.Spilled.DynptrFirstSlot == now.Spilled.DynptrFirstSlot
                    && _ids.Check(old.Spilled.RefObjId, now.Spilled.RefObjId);
            case SlotKind.IrqFlag:
                return old.Spilled.IrqOfLock == now.Spilled.IrqOfLock && _ids.Check(old.Spilled.Id, now.Spilled.Id);
            case SlotKind.Iter:
                return old.Spilled.Type == now.Spilled.Type
                    && ReferenceEquals(old.Spilled.Target, now.Spilled.Target)
                    && old.Spilled.BtfId == now.Spilled.BtfId
                    && old.Spilled.IterState == now.Spilled.IterState
                    && _ids.Check(old.Spilled.RefObjId, now.Spilled.RefObjId);
            default:
                return true;
        }
    }
}
