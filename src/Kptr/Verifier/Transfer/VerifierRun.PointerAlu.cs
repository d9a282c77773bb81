using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Pointer plus or minus a number.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Kernel: <c>adjust_ptr_min_max_vals</c>.</summary>
    /// <remarks>
    /// <c>ptr</c>: A copy of the pointer operand.
    /// <c>off</c>: A copy of the number.
    /// </remarks>
    private void MovePointer(in BpfInsn insn, byte op, RegState ptr, RegState off)
    {
        var dstIsPtr = Reg(insn.Dst).Type != RegType.Scalar;
        ref var dst = ref Reg(insn.Dst);
        var known = off.Var.IsConst;
        if ((known && (off.Var.SMin != off.Var.SMax || off.Var.UMin != off.Var.UMax))
            || off.Var.SMin > off.Var.SMax || off.Var.UMin > off.Var.UMax)
        {
            dst.MarkUnknown(AlwaysPrecise);
            return;
        }

        if (insn.Class != InsnClass.Alu64)
        {
            if (op == BpfOp.Sub && AllowPtrLeaks)
            {
                dst.MarkUnknown(AlwaysPrecise);
                return;
            }

            Reject(DiagCode.PtrArithmetic, $"R{insn.Dst} 32-bit pointer arithmetic prohibited", insn.Dst, Errno.EACCES);
        }

        CheckPointerMayMove(insn.Dst, op, ptr, known, off);
        if (!dstIsPtr)
        {
            dst = ptr;
        }

        if (ptr.Type.Base() == RegType.PtrToMem && ptr.Type.Has(RegType.PtrUntrusted))
        {
            // Its loads may fault: where in it they read is not followed.
            return;
        }

        CheckSaneOffset(off, ptr.Type);
        CheckSanePointer(ptr, ptr.Type);
        var mask = MaskOf(insn, op, ptr, off, dstIsPtr);
        dst.Var.SetUnbounded32();
        switch (op)
        {
            case BpfOp.Add:
                AddToPointer(ref dst, ptr, off, known);
                break;
            case BpfOp.Sub:
                SubFromPointer(insn.Dst, dstIsPtr, ref dst, ptr, off, known);
                break;
            case BpfOp.And or BpfOp.Or or BpfOp.Xor:
                Reject(DiagCode.PtrArithmetic,
                    $"R{insn.Dst} bitwise operator {OpSymbol(op)} on pointer prohibited", insn.Dst, Errno.EACCES);
                break;
            default:
                Reject(DiagCode.PtrArithmetic,
                    $"R{insn.Dst} pointer arithmetic with {OpSymbol(op)} operator prohibited", insn.Dst, Errno.EACCES);
                break;
        }

        if (Kernel.Profile.MathForgetsPacketEnd && dst.Type.IsPacket() && dst.PktRange < 0)
        {
            ClearRange(ref dst);
        }

        CheckSanePointer(dst, ptr.Type);
        Numbers.Sync(ref dst.Var);
        CheckMaskable(insn.Dst, dst);
        CommitMask(insn, op, dst, mask);
    }

    private void CheckPointerMayMove(int regno, byte op, in RegState ptr, bool known, in RegState off)
    {
        if (ptr.Type.MayBeNull())
        {
            Reject(DiagCode.PtrArithmetic,
                $"R{regno} pointer arithmetic on {RegTypeName(ptr.Type)} prohibited, null-check it first",
                regno, Errno.EACCES);
        }

        switch (ptr.Type.Base())
        {
            case RegType.PtrToCtx or RegType.PtrToMapValue or RegType.PtrToMapKey or RegType.PtrToStack
                or RegType.PtrToPacketMeta or RegType.PtrToPacket or RegType.PtrToTpBuffer or RegType.PtrToBtfId
                or RegType.PtrToMem or RegType.PtrToBuf or RegType.PtrToFunc or RegType.ConstPtrToDynptr:
                return;
            case RegType.PtrToFlowKeys when known:
                return;
            case RegType.PtrToFlowKeys or RegType.ConstPtrToMap when known && off.Var.SMin == 0 && op == BpfOp.Add:
                return;
            default:
                Reject(DiagCode.PtrArithmetic,
                    $"R{regno} pointer arithmetic on {RegTypeName(ptr.Type)} prohibited", regno, Errno.EACCES);
                return;
        }
    }

    private void CheckSanePointer(in RegState reg, RegType type)
    {
        if (!Kernel.Profile.FoldsOffsets)
        {
            CheckSaneOffset(reg, type);
            return;
        }

        var whole = FoldedRange(reg);
        var least = whole.IsConst ? (long)whole.ConstValue : whole.SMin;
        if (least is >= Limits.MaxVarOff or <= -Limits.MaxVarOff)
        {
            Reject(DiagCode.PtrArithmetic, $"{RegTypeName(type)} pointer offset {least} is not allowed");
        }
    }

    private void CheckSaneOffset(in RegState reg, RegType type)
    {
        const int max = Limits.MaxVarOff;
        var value = (long)reg.Var.Bits.Value;
        if (reg.Var.IsConst && value is >= max or <= -max && reg.Var.IsConst)
        {
            Reject(DiagCode.PtrArithmetic, $"math between {RegTypeName(type)} pointer and {value} is not allowed");
        }

        if (reg.Off is >= max or <= -max)
        {
            Reject(DiagCode.PtrArithmetic, $"{RegTypeName(type)} pointer offset {reg.Off} is not allowed");
        }

        if (reg.Var.SMin == long.MinValue)
        {
            Reject(DiagCode.PtrArithmetic,
                $"math between {RegTypeName(type)} pointer and register with unbounded min value is not allowed");
        }

        if (reg.Var.SMin is >= max or <= -max)
        {
            Reject(DiagCode.PtrArithmetic, $"value {reg.Var.SMin} makes {RegTypeName(type)} pointer be out of bounds");
        }
    }

    private void AddToPointer(ref RegState dst, in RegState ptr, in RegState off, bool known)
    {
        var sum = ptr.Off + off.Var.SMin;
        dst.Target = ptr.Target;
        dst.Word0 = ptr.Word0;
        dst.Word1 = ptr.Word1;
        if (known && sum == (int)sum)
        {
            dst.Var.SetWide(ptr.Var);
            dst.Off = (int)sum;
            return;
        }

        Numbers.MoveUp(ref dst.Var, ptr.Var, off.Var);
        dst.Var.Bits = ptr.Var.Bits + off.Var.Bits;
        dst.Off = ptr.Off;
        if (ptr.Type.IsPacket())
        {
            dst.Id = NewId();
            ClearRange(ref dst);
        }
    }

    private static void ClearRange(ref RegState reg)
    {
        reg.Target = null;
        reg.Word0 = reg.Word1 = 0;
    }

    private void SubFromPointer(
        int regno, bool dstIsPtr, ref RegState dst, in RegState ptr, in RegState off, bool known)
    {
        if (!dstIsPtr)
        {
            Reject(DiagCode.PtrArithmetic, $"R{regno} tried to subtract pointer from scalar", regno, Errno.EACCES);
        }

        if (ptr.Type == RegType.PtrToStack)
        {
            Reject(DiagCode.PtrArithmetic, $"R{regno} subtraction from stack pointer prohibited", regno, Errno.EACCES);
        }

        var difference = ptr.Off - off.Var.SMin;
        if (known && difference == (int)difference)
        {
            dst.Var.SetWide(ptr.Var);
            dst.Id = ptr.Id;
            dst.Off = (int)difference;
            return;
        }

        Numbers.MoveDown(ref dst.Var, ptr.Var, off.Var);
        dst.Var.Bits = ptr.Var.Bits - off.Var.Bits;
        dst.Off = ptr.Off;
        if (ptr.Type.IsPacket())
        {
            dst.Id = NewId();
            if (off.Var.SMin < 0)
            {
                ClearRange(ref dst);
            }
        }
    }
}
