using Kptr.Verifier.Cfg;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Liveness;

/// <summary>
/// Takes out of a state what no path from it can read, so that states that differ in it alone are equal.
/// </summary>
/// <remarks>
/// Registers that are dead hold nothing any more; bytes of the stack that are dead must not be read. Kernel:
/// <c>clean_verifier_state</c>, <c>bpf_stack_slot_alive</c> (7.2).
/// </remarks>
/// <param name="registers">Which registers are read from an instruction on.</param>
/// <param name="stack">Which parts of the stack are.</param>
/// <param name="subprogs">The functions of the program.</param>
/// <param name="alwaysPrecise">Whether numbers are always precise, so that none is less.</param>
internal sealed class DeadPlaces(
    LiveRegisters registers, StackLiveness stack, SubprogTable subprogs, bool alwaysPrecise)
{
    private const ulong PoisonedHalf = 0x01010101 * (ulong)SlotKind.Poison;
    private readonly FunctionUses?[] _uses = new FunctionUses?[Limits.MaxCallFrames];

    /// <summary>Cleans a state that is at an instruction.</summary>
    public void Clean(VerifierState state, int insnIdx)
    {
        for (var f = 0; f <= state.CurFrame; f++)
        {
            _uses[f] = Find(state.Frames[f]!, f);
        }

        for (var f = 0; f <= state.CurFrame; f++)
        {
            var frame = state.Frames[f]!;
            var at = f < state.CurFrame ? state.Frames[f + 1]!.Callsite : insnIdx;
            CleanRegs(frame, registers.Before(at), alwaysPrecise);
            if (frame.SlotCount > 0)
            {
                CleanStack(frame, LiveIn(state, f, insnIdx));
            }
        }
    }

    /// <summary>Cleans the registers of a frame that are not in a mask.</summary>
    public static void CleanRegs(FuncState frame, int live, bool alwaysPrecise)
    {
        for (var r = 0; r < 10; r++)
        {
            if ((live & (1 << r)) == 0 && frame.Regs[r].Type != RegType.NotInit)
            {
                Forget(ref frame.Regs[r], alwaysPrecise);
            }
        }
    }

    // A function that got no pointer into the stack was looked at for no call of it.
    private FunctionUses? Find(FuncState frame, int depth)
    {
        var start = subprogs[frame.Subprogno].Start;
        for (; depth > 0; depth--)
        {
            if (stack.Find(frame.Callsite, depth) is { } uses)
            {
                return uses;
            }
        }

        return stack.Find(start, 0);
    }

    /// <summary>What is live of a frame's stack: what its own function or one that it called may still read.</summary>
    private SlotSet LiveIn(VerifierState state, int frame, int insnIdx)
    {
        if (_uses[state.CurFrame] is not { } innermost)
        {
            return SlotSet.All;
        }

        var at = frame + innermost.Depth - state.CurFrame;
        var live = at < 0 ? default : innermost.LiveBefore(at, insnIdx);
        for (var f = frame; f < state.CurFrame; f++)
        {
            if (_uses[f] is not { } outer)
            {
                return SlotSet.All;
            }

            at = frame + outer.Depth - f;
            if (at < 0)
            {
                return SlotSet.All;
            }

            // A callback may be called once more, a function comes back behind its call.
            var callsite = state.Frames[f + 1]!.Callsite;
            live |= outer.LiveBefore(at, stack.CallsCallback(callsite) ? callsite : callsite + 1);
        }

        return live;
    }

    private void CleanStack(FuncState frame, SlotSet live)
    {
        for (var i = 0; i < frame.SlotCount; i++)
        {
            var halves = live.HalvesOf(i);
            if (halves != 3)
            {
                CleanSlot(ref frame.Stack[i], isNearLive: (halves & 1) != 0, isFarLive: (halves & 2) != 0);
            }
        }
    }

    /// <summary>Cleans a slot of which the half near to the frame pointer, the other, or both are dead.</summary>
    private void CleanSlot(ref StackSlot slot, bool isNearLive, bool isFarLive)
    {
        // Dynptrs, iterators and saved flags stay: that one is overwritten or made twice must be seen.
        var kind = slot[7];
        if (kind is SlotKind.Dynptr or SlotKind.Iter or SlotKind.IrqFlag)
        {
            return;
        }

        if (!isFarLive)
        {
            if (isNearLive && kind == SlotKind.Spill)
            {
                // Half a pointer stays one, so that it is not read as a number; a zero stays one as it is.
                if (slot.Spilled.Type != RegType.Scalar || slot.Spilled.IsNull)
                {
                    return;
                }

                for (var i = 0; i < 4; i++)
                {
                    slot[i] = slot[i] == SlotKind.Spill ? SlotKind.Misc : slot[i];
                }
            }

            Forget(ref slot.Spilled, alwaysPrecise);
            slot.Kinds = (slot.Kinds & uint.MaxValue) | (PoisonedHalf << 32);
        }

        if (!isNearLive)
        {
            slot.Kinds = (slot.Kinds & ~(ulong)uint.MaxValue) | PoisonedHalf;
        }
    }

    private static void Forget(ref RegState reg, bool alwaysPrecise)
    {
        reg.MarkNotInit();
        reg.Precise = alwaysPrecise;
    }
}
