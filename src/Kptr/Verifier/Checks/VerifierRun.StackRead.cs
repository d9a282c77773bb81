using Kptr.Diagnostics;
using Kptr.Verifier.Precision;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Loads from the stack, of what was spilled and of bytes.</content>
internal sealed partial class VerifierRun
{
    private void ReadStackFixed(FuncState frame, int off, int size, int dstRegno)
    {
        var slot = SlotOf(off);
        ref var stack = ref frame.Stack[slot];
        Log.TouchSlot(slot);
        _fastcalls.Use(frame.Subprogno, InsnIdx, off);
        bool isFill;
        if (stack.IsSpill)
        {
            isFill = FillFromSpill(frame, slot, off, size, dstRegno);
        }
        else
        {
            for (var i = 0; i < size; i++)
            {
                var kind = stack[(-off - 1 - i) & 7];
                if (kind is not (SlotKind.Misc or SlotKind.Zero) && !(kind == SlotKind.Invalid && AllowUninitStack))
                {
                    RejectStackRead(kind, off, i, size);
                }
            }

            LiveReads.MarkSlot(frame, slot);
            if (dstRegno >= 0)
            {
                MarkRegStackRead(frame, off, off + size, dstRegno);
            }

            isFill = false;
        }

        if (isFill)
        {
            PushInsnHistory(HistFlags.Access(frame.Frameno, slot), 0);
        }
    }

    private void RejectStackRead(SlotKind kind, int off, int i, int size) => Reject(DiagCode.StackAccessInvalid,
        kind == SlotKind.Poison
            ? $"reading from stack off {off}+{i} size {size}, slot poisoned by dead code elimination"
            : $"invalid read from stack off {off}+{i} size {size}",
        errno: Errno.EACCES);

    /// <returns>Whether the register spilled came back.</returns>
    private bool FillFromSpill(FuncState frame, int slot, int off, int size, int dstRegno)
    {
        ref var stack = ref frame.Stack[slot];
        var spillSize = 1;
        for (var i = 7; i > 0 && stack[i - 1] == SlotKind.Spill; i--)
        {
            spillSize++;
        }

        if (size == 8 && spillSize == 8)
        {
            if (dstRegno >= 0)
            {
                Reg(dstRegno) = stack.Spilled;
                Cur.Cur.Live.WriteReg(dstRegno);
            }

            LiveReads.MarkSlot(frame, slot);
            return true;
        }

        if (stack.Spilled.Type != RegType.Scalar)
        {
            Reject(DiagCode.StackAccessInvalid, "invalid size of register fill", errno: Errno.EACCES);
        }

        LiveReads.MarkSlot(frame, slot);
        if (dstRegno < 0)
        {
            return false;
        }

        ref var dst = ref Reg(dstRegno);
        var isFill = true;
        if (off % 8 == 0 && (Kernel.Profile.DeducesBounds ? size <= spillSize : size == spillSize))
        {
            dst = stack.Spilled;
            if (stack.Spilled.Var.WidthBits > size * 8)
            {
                ClearScalarId(ref dst);
            }
        }
        else
        {
            isFill = FillMixed(stack, off, size, ref dst);
        }

        Cur.Cur.Live.WriteReg(dstRegno);
        return isFill;
    }

    private bool FillMixed(in StackSlot stack, int off, int size, ref RegState dst)
    {
        int spills = 0, zeros = 0;
        for (var i = 0; i < size; i++)
        {
            var kind = stack[(-off - 1 - i) & 7];
            switch (kind)
            {
                case SlotKind.Spill:
                    spills++;
                    break;
                case SlotKind.Zero when Kernel.Profile.DeducesBounds:
                    zeros++;
                    break;
                case SlotKind.Misc:
                    break;
                case SlotKind.Invalid when AllowUninitStack:
                    break;
                default:
                    RejectStackRead(kind, off, i, size);
                    break;
            }
        }

        if (Kernel.Profile.DeducesBounds && spills == size && stack.Spilled.Var.IsConstEqual(0))
        {
            MarkConstZero(ref dst);
            return true;
        }

        if (zeros == size)
        {
            MarkConstZero(ref dst);
        }
        else
        {
            dst.MarkUnknown(AlwaysPrecise);
        }

        return false;
    }

    private void MarkConstZero(ref RegState reg)
    {
        reg.MarkKnown(0);
        reg.Type = RegType.Scalar;
        reg.Precise = AlwaysPrecise;
    }

    private void MarkRegStackRead(FuncState frame, int min, int max, int dstRegno)
    {
        var zeros = true;
        for (var i = min; i < max && zeros; i++)
        {
            Log.TouchSlot(SlotOf(i));
            zeros = frame.Stack[SlotOf(i)][(-i - 1) & 7] == SlotKind.Zero;
        }

        ref var dst = ref Reg(dstRegno);
        if (zeros)
        {
            MarkConstZero(ref dst);
        }
        else
        {
            dst.MarkUnknown(AlwaysPrecise);
        }

        Cur.Cur.Live.WriteReg(dstRegno);
    }
}
