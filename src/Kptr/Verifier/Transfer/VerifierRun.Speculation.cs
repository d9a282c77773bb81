using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>How arithmetic is masked (<c>BPF_ALU_*</c> of <c>alu_state</c>).</summary>
[Flags]
internal enum PtrMaskKinds
{
    None = 0,
    SanitizeSrc = 1,
    SanitizeDst = 2,
    NegValue = 4,
    NonPointer = 8,
    Immediate = 16,
}

/// <summary>The mask of one instruction.</summary>
/// <param name="Kinds">What it is.</param>
/// <param name="Limit">Bytes that the pointer may move.</param>
/// <param name="ToLeft">Whether it moves down; no part of what is remembered.</param>
internal readonly record struct PtrMask(PtrMaskKinds Kinds, uint Limit, bool ToLeft = false);

/// <content>
/// Speculative execution, of unprivileged programs: branches the CPU may mispredict are explored as well, and pointer
/// arithmetic must be such that a mask can keep it inside its object.
/// </content>
internal sealed partial class VerifierRun
{
    private const string ProhibitedMath = "pointer arithmetic with it prohibited for !root";

    /// <summary>Whether speculation is the loader's own risk (<c>bypass_spec_v1</c>: CAP_PERFMON).</summary>
    private bool BypassSpecV1 => Options.Privileged;

    /// <summary>
    /// The way a certain branch does not go is explored with unknown operands (<c>sanitize_speculative_path</c>).
    /// </summary>
    private void ExploreMispredicted(in BpfInsn insn, int next)
    {
        var regs = PushStack(next, InsnIdx, speculative: true).Cur.Regs;
        regs[insn.Dst].MarkUnknown(AlwaysPrecise);
        if ((insn.Opcode & BpfOp.X) != 0)
        {
            regs[insn.Src].MarkUnknown(AlwaysPrecise);
        }
    }

    /// <summary>
    /// The mask a move of a pointer by a register needs; none where it needs none. Kernel: <c>sanitize_ptr_alu</c>.
    /// </summary>
    private PtrMask MaskOf(in BpfInsn insn, byte op, in RegState ptr, in RegState off, bool ptrIsDst)
    {
        if (!NeedsMask(insn, op))
        {
            return default;
        }

        var mask = Cur.Speculative ? default : NewMask(insn, op, ptr, off, ptrIsDst);
        if (!off.Var.IsConst)
        {
            // A wrong offset is masked to zero: what follows is explored with the pointer unmoved.
            PushStack(InsnIdx + 1, InsnIdx, speculative: true);
        }

        return mask;
    }

    private PtrMask NewMask(in BpfInsn insn, byte op, in RegState ptr, in RegState off, bool ptrIsDst)
    {
        if (!off.Var.IsConst && (off.Var.SMin < 0) != (off.Var.SMax < 0))
        {
            Reject(DiagCode.PtrArithmetic, $"R{insn.Src} has unknown scalar with mixed signed bounds, {ProhibitedMath}",
                insn.Src, Errno.EACCES);
        }

        var isNegative = off.Var.SMin < 0;
        var toLeft = (op == BpfOp.Add) == isNegative;
        _comparer.ComparesNumbersExactly |= !off.Var.IsConst;
        return new(
            (isNegative ? PtrMaskKinds.NegValue : 0) | (off.Var.IsConst ? PtrMaskKinds.Immediate : 0)
                | (ptrIsDst ? PtrMaskKinds.SanitizeSrc : PtrMaskKinds.SanitizeDst),
            PtrLimit(insn, op, ptr, toLeft),
            toLeft);
    }

    /// <summary>Narrows the mask by how far the pointer moved, and remembers it.</summary>
    private void CommitMask(in BpfInsn insn, byte op, in RegState moved, PtrMask mask)
    {
        if (!NeedsMask(insn, op) || Cur.Speculative)
        {
            return;
        }

        var limit = PtrLimit(insn, op, moved, mask.ToLeft);
        RememberMask(insn, op, new(mask.Kinds, (uint)Math.Abs(unchecked((int)(mask.Limit - limit)))));
    }

    private bool NeedsMask(in BpfInsn insn, byte op) =>
        !BypassSpecV1 && (insn.Opcode & BpfOp.X) != 0 && (op is BpfOp.Add or BpfOp.Sub);

    /// <summary>One instruction has one mask, on all paths (<c>update_alu_sanitation_state</c>).</summary>
    private void RememberMask(in BpfInsn insn, byte op, PtrMask mask)
    {
        ref var known = ref Aux[InsnIdx].Mask;
        if (known.Kinds != PtrMaskKinds.None && known != mask)
        {
            Reject(
                DiagCode.PtrArithmetic,
                $"R{insn.Dst} tried to {(op == BpfOp.Add ? "add" : "sub")} from different maps, "
                    + $"paths or scalars, {ProhibitedMath}",
                insn.Dst, Errno.EACCES);
        }

        known = mask;
    }

    /// <summary>Kernel: <c>retrieve_ptr_limit</c>.</summary>
    private uint PtrLimit(in BpfInsn insn, byte op, in RegState ptr, bool toLeft)
    {
        uint limit = 0, max = 0;
        switch (ptr.Type)
        {
            case RegType.PtrToStack:
                max = Limits.MaxBpfStack + (toLeft ? 1u : 0);
                limit = unchecked((uint)-((long)ptr.Var.Bits.Value + ptr.Off));
                break;
            case RegType.PtrToMapValue:
                max = (uint)ptr.Map!.ValueSize;
                limit = unchecked((uint)((toLeft ? ptr.Var.SMin : (long)ptr.Var.UMax) + ptr.Off));
                break;
            default:
                Reject(DiagCode.PtrArithmetic,
                    $"R{insn.Dst} has pointer with unsupported alu operation, {ProhibitedMath}",
                    insn.Dst, Errno.EACCES);
                break;
        }

        if (limit >= max)
        {
            Reject(
                DiagCode.PtrArithmetic,
                $"R{insn.Dst} tried to {(op == BpfOp.Add ? "add" : "sub")} beyond pointer bounds, {ProhibitedMath}",
                insn.Dst, Errno.EACCES);
        }

        return limit;
    }

    /// <summary>A moved pointer stays inside its object (<c>sanitize_check_bounds</c>).</summary>
    private void CheckMaskable(int regno, in RegState moved)
    {
        if (BypassSpecV1)
        {
            return;
        }

        if (moved.Type == RegType.PtrToStack)
        {
            CheckStackArithmetic(regno, moved);
        }
        else if (moved.Type == RegType.PtrToMapValue)
        {
            try
            {
                CheckMapAccess(regno, moved.Off, 1, zeroSizeAllowed: false, byHelper: true);
            }
            catch (RejectException outside)
            {
                Log.Line(outside.Diagnostic.Message);
                Reject(
                    DiagCode.PtrArithmetic,
                    $"R{regno} pointer arithmetic of map value goes out of range, prohibited for !root",
                    regno, Errno.EACCES);
            }
        }
    }

    private void CheckStackArithmetic(int regno, in RegState moved)
    {
        var off = moved.Off + (long)moved.Var.Bits.Value;
        if (!moved.Var.IsConst)
        {
            Reject(
                DiagCode.PtrArithmetic,
                $"R{regno} variable stack access prohibited for !root, var_off={Tn(moved)} off={off}",
                regno, Errno.EACCES);
        }

        if (off is >= 0 or < -Limits.MaxBpfStack)
        {
            Reject(
                DiagCode.PtrArithmetic,
                $"R{regno} stack pointer arithmetic goes out of range, prohibited for !root; off={off}",
                regno, Errno.EACCES);
        }
    }
}
