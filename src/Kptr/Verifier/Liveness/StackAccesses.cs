using Kptr.Isa;

namespace Kptr.Verifier.Liveness;

/// <summary>Notes what loads, stores and calls do to the stacks that their operands point into.</summary>
/// <remarks>
/// Read is all that may be, written only what is for certain: all bytes of a half at the one place there is. Kernel:
/// <c>record_load_store_access</c>, <c>record_call_access</c> (7.2).
/// </remarks>
/// <param name="insns">The program.</param>
/// <param name="known">Its constants.</param>
/// <param name="calls">What is known of its calls.</param>
internal sealed class StackAccesses(BpfInsn[] insns, ConstantRegs known, ICallUses calls)
{
    /// <summary>Notes one instruction.</summary>
    public void Note(FunctionUses uses, int at, ReadOnlySpan<FramePlace> regs)
    {
        ref readonly var insn = ref insns[at];
        switch (insn.Class)
        {
            case InsnClass.Ldx:
                NoteAt(uses, at, regs[insn.Src], insn.Off, new(StackUseKind.Reads, insn.AccessBytes));
                break;
            case InsnClass.Stx when insn.IsLoadAcquire:
                NoteAt(uses, at, regs[insn.Src], insn.Off, new(StackUseKind.Reads, insn.AccessBytes));
                break;
            case InsnClass.Stx when insn.IsAtomic:
                NoteAt(uses, at, regs[insn.Dst], insn.Off, new(StackUseKind.Reads, insn.AccessBytes));
                break;
            case InsnClass.Stx or InsnClass.St:
                NoteAt(uses, at, regs[insn.Dst], insn.Off, new(StackUseKind.Writes, insn.AccessBytes));
                break;
            case InsnClass.Jmp when insn.IsHelperCall || insn.IsKfuncCall:
                NoteCall(uses, at, regs);
                break;
        }
    }

    private void NoteCall(FunctionUses uses, int at, ReadOnlySpan<FramePlace> regs)
    {
        var args = Math.Min(calls.ArgCount(insns[at]), Limits.MaxFuncRegArgs);
        for (var i = 0; i < args; i++)
        {
            if (regs[i + 1].IsStack)
            {
                NoteAt(uses, at, regs[i + 1], 0, calls.UseOf(known, at, i));
            }
        }
    }

    private static void NoteAt(FunctionUses uses, int at, in FramePlace place, int off, StackUse use)
    {
        if (!place.IsStack || use.Kind == StackUseKind.None)
        {
            return;
        }

        if (place.Frame < 0)
        {
            uses.ReadAll(place.Frames, at);
            return;
        }

        var moved = off == 0 ? place : place.Plus(off);
        if (moved.OffsetCount == 0)
        {
            if (use.Kind != StackUseKind.Writes)
            {
                uses.Read(place.Frame, at, SlotSet.All);
            }

            return;
        }

        for (var i = 0; i < moved.OffsetCount && (use.Kind != StackUseKind.Writes || moved.OffsetCount == 1); i++)
        {
            NoteAt(uses, at, place.Frame, moved[i], use);
        }
    }

    private static void NoteAt(FunctionUses uses, int at, int frame, long off, StackUse use)
    {
        // What lies above the frame pointer is no stack; the explorer refuses it.
        if (off >= 0)
        {
            return;
        }

        const int half = SlotSet.HalfBytes;
        switch (use.Kind)
        {
            case StackUseKind.ReadsUnknown:
                uses.Read(frame, at, SlotSet.Range(0, (-off - 1) / half));
                break;
            case StackUseKind.Reads:
                uses.Read(frame, at, SlotSet.Range(Math.Max((-off - use.Bytes) / half, 0), (-off - 1) / half));
                break;
            case StackUseKind.Writes:
                var first = Math.Max((-off - use.Bytes + half - 1) / half, 0);
                var last = (-off / half) - 1;
                if (first <= last)
                {
                    uses.Write(frame, at, SlotSet.Range(first, last));
                }

                break;
        }
    }
}
