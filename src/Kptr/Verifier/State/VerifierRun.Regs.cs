using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>How an instruction uses a register.</summary>
internal enum RegUse
{
    /// <summary>Reads it.</summary>
    Src,

    /// <summary>Writes it; its old content is forgotten.</summary>
    Dst,

    /// <summary>Writes it; the caller sets the new content.</summary>
    DstNoMark,
}

/// <content>Reading and writing registers, and the marks that go with it.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Checks that a register may be used so and marks it (<c>check_reg_arg</c>).</summary>
    public void CheckRegArg(int regno, RegUse use)
    {
        if (regno > 10)
        {
            Reject(DiagCode.InsnReservedField, $"R{regno} is invalid", regno);
        }

        ref var reg = ref Reg(regno);
        Log.Touch(regno);
        if (use == RegUse.Src)
        {
            if (reg.Type == RegType.NotInit)
            {
                Reject(DiagCode.RegUninitialized, $"R{regno} !read_ok", regno, Errno.EACCES);
            }

            if (regno != 10)
            {
                MarkRegRead(Cur.Cur, regno);
            }

            return;
        }

        if (regno == 10)
        {
            Reject(DiagCode.FramePointerWrite, "frame pointer is read only", regno, Errno.EACCES);
        }

        reg.Live |= LiveMarks.Written;
        if (use == RegUse.Dst)
        {
            reg.MarkUnknown(AlwaysPrecise);
        }
    }

    public void MarkRegUnknown(int regno) => Reg(regno).MarkUnknown(AlwaysPrecise);

    /// <summary>A register that must not be used as a pointer any more (<c>mark_reg_invalid</c>).</summary>
    public void MarkInvalid(ref RegState reg)
    {
        reg.MarkUnknown(AlwaysPrecise);
        if (!AllowPtrLeaks)
        {
            reg.Type = RegType.NotInit;
        }
    }

    /// <summary>After a call R0 to R5 hold nothing (<c>clear_caller_saved_regs</c>).</summary>
    public void ClearCallerSavedRegs(FuncState frame)
    {
        for (var i = 0; i <= 5; i++)
        {
            ref var reg = ref frame.Regs[i];
            reg.MarkNotInit();
            reg.Precise = AlwaysPrecise;
            reg.Live |= LiveMarks.Written;
            Log.Touch(i);
        }
    }

    /// <summary>What a load through BTF leaves in a register (<c>mark_btf_ld_reg</c>).</summary>
    public void MarkBtfLdReg(int regno, RegType type, Btf.BtfSpec? btf, int btfId, RegType flags)
    {
        if (type == RegType.Scalar)
        {
            MarkRegUnknown(regno);
            return;
        }

        ref var reg = ref Reg(regno);
        reg.MarkKnownZero(RegType.PtrToBtfId | flags);
        reg.Btf = btf;
        reg.BtfId = btfId;
        if (flags.MayBeNull())
        {
            reg.Id = NewId();
        }
    }

    /// <summary>Marks that a register of this frame was read, up the chain of states (<c>mark_reg_read</c>).</summary>
    public static void MarkRegRead(FuncState frame, int regno)
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
    public static void MarkSlotRead(FuncState frame, int slot)
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
