using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>Marks what is read, in all states that it came from, because only what is read is compared.</summary>
internal static class LiveReads
{
    /// <summary>Marks that a register of this frame was read, up the chain of states (<c>mark_reg_read</c>).</summary>
    public static void MarkReg(FuncState frame, int regno)
    {
        var parent = ParentOf(frame, regno);
        ref var reg = ref frame.Regs[regno];
        while (parent is not null && (reg.Live & LiveMarks.Written) == 0)
        {
            ref var above = ref parent.Regs[regno];
            if (!MarkParentRead(ref above))
            {
                return;
            }

            frame = parent;
            reg = ref above;
            parent = ParentOf(frame, regno);
        }
    }

    /// <summary>Marks that a stack slot of this frame was read, up the chain of states.</summary>
    public static void MarkSlot(FuncState frame, int slot)
    {
        ref var reg = ref frame.Stack[slot].Spilled;
        for (var parent = frame.Parent; parent is not null && slot < parent.SlotCount; parent = parent.Parent)
        {
            if ((reg.Live & LiveMarks.Written) != 0)
            {
                return;
            }

            ref var above = ref parent.Stack[slot].Spilled;
            if (!MarkParentRead(ref above))
            {
                return;
            }

            reg = ref above;
        }
    }

    /// <summary>
    /// What the path from an old state reads, the path from an equal one reads too (<c>propagate_liveness</c>).
    /// </summary>
    /// <returns>Whether something is read that was not known to be.</returns>
    public static bool Propagate(VerifierState old, VerifierState cur)
    {
        var changed = false;
        for (var f = 0; f <= old.CurFrame; f++)
        {
            FuncState from = old.Frames[f]!, to = cur.Frames[f]!;
            for (var i = f < old.CurFrame ? 6 : 0; i < 10; i++)
            {
                if ((from.Regs[i].Live & LiveMarks.Read) != 0 && (to.Regs[i].Live & LiveMarks.Read) == 0)
                {
                    to.Regs[i].Live |= LiveMarks.Read;
                    changed = true;
                    MarkReg(to, i);
                }
            }

            var slots = Math.Min(from.SlotCount, to.SlotCount);
            for (var i = 0; i < slots; i++)
            {
                if ((from.Stack[i].Spilled.Live & LiveMarks.Read) != 0
                    && (to.Stack[i].Spilled.Live & LiveMarks.Read) == 0)
                {
                    to.Stack[i].Spilled.Live |= LiveMarks.Read;
                    changed = true;
                    MarkSlot(to, i);
                }
            }
        }

        return changed;
    }

    private static bool MarkParentRead(ref RegState above)
    {
        Invariant.That((above.Live & LiveMarks.Done) == 0, "a state that is done was read");
        if ((above.Live & LiveMarks.Read) != 0)
        {
            return false;
        }

        above.Live |= LiveMarks.Read;
        return true;
    }

    private static FuncState? ParentOf(FuncState frame, int regno) =>
        regno == 0 ? frame.R0Parent : regno <= 5 ? frame.ArgsParent : frame.Parent;
}
