using Kptr.Diagnostics;
using Kptr.Verifier.State;

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
                LiveReads.MarkReg(Cur.Cur, regno);
            }

            return;
        }

        if (regno == 10)
        {
            Reject(DiagCode.FramePointerWrite, "frame pointer is read only", regno, Errno.EACCES);
        }

        Cur.Cur.Live.WriteReg(regno);
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
            frame.Live.WriteReg(i);
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
        reg.MarkKnownZero(type | flags);
        if (type != RegType.PtrToBtfId)
        {
            reg.MemSize = 0;
            return;
        }

        reg.Btf = btf;
        reg.BtfId = btfId;
        if (flags.MayBeNull())
        {
            reg.Id = NewId();
        }
    }
}
