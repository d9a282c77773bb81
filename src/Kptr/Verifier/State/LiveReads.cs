using Kptr.Diagnostics;

namespace Kptr.Verifier.State;

/// <summary>Marks what is read, in all states that it came from, because only what is read is compared.</summary>
internal static class LiveReads
{
    private const uint R0 = 1;
    private const uint Args = 0x3e;
    private const uint Saved = 0x3c0;

    /// <summary>Marks that a register of this frame was read, up the chain of states (<c>mark_reg_read</c>).</summary>
    public static void MarkReg(FuncState frame, int regno)
    {
        if (regno > 5)
        {
            MarkUp(frame, 1u << regno, 0);
        }
        else
        {
            MarkCallerSaved(frame, 1u << regno);
        }
    }

    /// <summary>Marks that a stack slot of this frame was read, up the chain of states.</summary>
    public static void MarkSlot(FuncState frame, int slot) => MarkUp(frame, 0, 1ul << slot);

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
            var regs = from.Live.ReadRegs & ~to.Live.ReadRegs & (f < old.CurFrame ? Saved : R0 | Args | Saved);
            var slots = from.Live.ReadSlots & ~to.Live.ReadSlots & to.AllSlots;
            if (((ulong)regs | slots) == 0)
            {
                continue;
            }

            to.Live.ReadRegs |= regs;
            to.Live.ReadSlots |= slots;
            changed = true;
            MarkUp(to, regs & Saved, slots);
            MarkCallerSaved(to, regs & R0);
            MarkCallerSaved(to, regs & Args);
        }

        return changed;
    }

    /// <summary>Registers that stay over a call, and slots: they have one chain of parents.</summary>
    private static void MarkUp(FuncState frame, uint regs, ulong slots)
    {
        for (var parent = frame.Parent; parent is not null; parent = parent.Parent)
        {
            regs &= ~(frame.Live.WrittenRegs | parent.Live.ReadRegs);
            slots &= ~(frame.Live.WrittenSlots | parent.Live.ReadSlots) & parent.AllSlots;
            if ((regs | slots) == 0)
            {
                return;
            }

            Invariant.That(!parent.Live.IsDone, "a state that is done was read");
            parent.Live.ReadRegs |= regs;
            parent.Live.ReadSlots |= slots;
            frame = parent;
        }
    }

    /// <summary>R0, or arguments: each have a chain of their own.</summary>
    private static void MarkCallerSaved(FuncState frame, uint regs)
    {
        var isR0 = regs == R0;
        for (var parent = ParentOf(frame, isR0); parent is not null; parent = ParentOf(parent, isR0))
        {
            regs &= ~(frame.Live.WrittenRegs | parent.Live.ReadRegs);
            if (regs == 0)
            {
                return;
            }

            Invariant.That(!parent.Live.IsDone, "a state that is done was read");
            parent.Live.ReadRegs |= regs;
            frame = parent;
        }
    }

    private static FuncState? ParentOf(FuncState frame, bool ofR0) => ofR0 ? frame.R0Parent : frame.ArgsParent;
}
