using Kptr.Verifier.State;

namespace Kptr.Verifier.Pruning;

/// <content>Stacks that have lost what nothing reads, half slot by half slot.</content>
internal sealed partial class StateComparer
{
    /// <summary>Kernel: <c>stacksafe</c> (7.2).</summary>
    private bool CleanStackSafe(FuncState old, FuncState cur, ExactLevel exact)
    {
        for (var i = 0; i < old.SlotCount; i++)
        {
            ref readonly var slot = ref old.Stack[i];
            if (exact == ExactLevel.Exact && (i >= cur.SlotCount || !SameKinds(slot, cur.Stack[i])))
            {
                return false;
            }

            if (!slot.IsEmpty && !CleanSlotSafe(slot, cur, i, exact))
            {
                return false;
            }
        }

        return true;
    }

    private bool CleanSlotSafe(in StackSlot old, FuncState cur, int slot, ExactLevel exact)
    {
        for (var i = 0; i < 8; i++)
        {
            if (IsAnyByte(old[i]))
            {
                continue;
            }

            if (slot >= cur.SlotCount)
            {
                return false;
            }

            ref readonly var now = ref cur.Stack[slot];
            if (i is 0 or 4 && IsNumberFrom(old, i) && IsNumberFrom(now, i))
            {
                return RegSafe(NumberOf(old, i), NumberOf(now, i), exact);
            }

            if (old[i] != now[i] && (old[i] != SlotKind.Misc || now[i] != SlotKind.Zero))
            {
                return false;
            }

            if (i == 7 && old[i] == now[i])
            {
                return SameKindSafe(old, now, exact);
            }
        }

        return true;
    }

    /// <summary>Whether a load of the slot, or of its half from a byte on, gives a number.</summary>
    private bool IsNumberFrom(in StackSlot slot, int from)
    {
        if (slot[from] == SlotKind.Spill && slot.Spilled.Type == RegType.Scalar)
        {
            return true;
        }

        for (var i = from; i < 8; i++)
        {
            var isAny = slot[i] == SlotKind.Misc
                || (allowUninitStack && slot[i] is SlotKind.Invalid or SlotKind.Poison);
            if (!isAny)
            {
                return false;
            }
        }

        return true;
    }

    private static ref readonly RegState NumberOf(in StackSlot slot, int from) =>
        ref (slot[from] == SlotKind.Spill ? ref slot.Spilled : ref Unbound);

    private static bool SameKinds(in StackSlot a, in StackSlot b)
    {
        for (var i = 0; i < 8; i++)
        {
            if (Settled(a[i]) != Settled(b[i]))
            {
                return false;
            }
        }

        return true;

        static SlotKind Settled(SlotKind kind) => kind == SlotKind.Poison ? SlotKind.Invalid : kind;
    }
}
