using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Arithmetic: on scalars it computes ranges, on pointers it moves offsets.</content>
internal sealed partial class VerifierRun
{
    private const short AddrSpaceCast = 1;

    private void CheckAlu(in BpfInsn insn)
    {
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.End or BpfOp.Neg:
                CheckEndOrNeg(insn);
                break;
            case BpfOp.Mov:
                CheckMov(insn);
                break;
            case > BpfOp.End:
                Reject(DiagCode.InsnUnknownOpcode, $"invalid BPF_ALU opcode {insn.Opcode & BpfOp.OpMask:x}");
                break;
            default:
                CheckBinary(insn);
                break;
        }

        SanitizeBounds(ref Reg(insn.Dst), "alu");
    }

    /// <summary>
    /// Ranges that contradict each other come from paths that cannot be: they say nothing then. The loader may ask for
    /// a refusal instead (<c>BPF_F_TEST_REG_INVARIANTS</c>).
    /// </summary>
    private void SanitizeBounds(ref RegState reg, string where)
    {
        if (!Kernel.Profile.DeducesBounds || reg.Var.FindViolation() is not { } violation)
        {
            return;
        }

        if (BpfCapable && (Prog.LoadFlags & LoadFlagBits.TestRegInvariants) != 0)
        {
            Reject(
                DiagCode.RangeContradiction,
                $"REG INVARIANTS VIOLATION ({where}): {violation} {Numbers.Describe(reg.Var)}",
                errno: Errno.EFAULT);
        }

        reg.Var.SetUnbounded();
    }

    private void RejectReserved(string what) => Reject(DiagCode.InsnReservedField, $"{what} uses reserved fields");

    private void CheckEndOrNeg(in BpfInsn insn)
    {
        if ((insn.Opcode & BpfOp.OpMask) == BpfOp.Neg)
        {
            if ((insn.Opcode & BpfOp.X) != 0 || insn.Src != 0 || insn.Off != 0 || insn.Imm != 0)
            {
                RejectReserved("BPF_NEG");
            }
        }
        else if (insn.Src != 0 || insn.Off != 0 || insn.Imm is not (16 or 32 or 64)
            || (insn.Class == InsnClass.Alu64 && (insn.Opcode & BpfOp.X) != 0))
        {
            RejectReserved("BPF_END");
        }

        CheckRegArg(insn.Dst, RegUse.Src);
        if (IsPointerValue(insn.Dst))
        {
            Reject(DiagCode.PtrArithmetic, $"R{insn.Dst} pointer arithmetic prohibited", insn.Dst, Errno.EACCES);
        }

        if (Kernel.Profile.RangesAreArcs && Reg(insn.Dst).Type == RegType.Scalar)
        {
            CheckRegArg(insn.Dst, RegUse.DstNoMark);
            ref var reg = ref Reg(insn.Dst);
            ClearScalarId(ref reg);
            Numbers.NegateOrSwap(insn, ref reg.Var);
            return;
        }

        CheckRegArg(insn.Dst, RegUse.Dst);
    }

    private void CheckBinary(in BpfInsn insn)
    {
        var op = (byte)(insn.Opcode & BpfOp.OpMask);
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var isDiv = op is BpfOp.Mod or BpfOp.Div;
        if ((isReg ? insn.Imm != 0 : insn.Src != 0) || insn.Off is not (0 or 1)
            || (insn.Off == 1 && !(isDiv && Kernel.Profile.HasV4Insns)))
        {
            RejectReserved("BPF_ALU");
        }

        if (isReg)
        {
            CheckRegArg(insn.Src, RegUse.Src);
        }

        CheckRegArg(insn.Dst, RegUse.Src);
        if (isDiv && !isReg && insn.Imm == 0)
        {
            Reject(DiagCode.InsnReservedField, "div by zero");
        }

        if (op is BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh && !isReg
            && (insn.Imm < 0 || insn.Imm >= (insn.Class == InsnClass.Alu64 ? 64 : 32)))
        {
            Reject(DiagCode.InsnReservedField, $"invalid shift {insn.Imm}");
        }

        CheckRegArg(insn.Dst, RegUse.DstNoMark);
        Compute(insn, op, isReg);
    }

    /// <summary>Kernel: <c>adjust_reg_min_max_vals</c>.</summary>
    private void Compute(in BpfInsn insn, byte op, bool isReg)
    {
        ref var dst = ref Reg(insn.Dst);
        if (dst.Type == RegType.PtrToArena || (isReg && Reg(insn.Src).Type == RegType.PtrToArena))
        {
            if (dst.Type != RegType.PtrToArena)
            {
                Cur.Cur.TakeReg(insn.Dst, Cur.Cur, insn.Src);
            }

            Aux[InsnIdx].NeedsZext |= insn.Class == InsnClass.Alu64;
            return;
        }

        var other = default(RegState);
        if (isReg)
        {
            if (ComputeWithPointer(insn, op, ref dst))
            {
                return;
            }

            other = Reg(insn.Src);
        }
        else
        {
            other.Type = RegType.Scalar;
            other.MarkKnown((ulong)insn.Imm);
            if (dst.Type != RegType.Scalar)
            {
                MovePointer(insn, op, dst, other);
                return;
            }
        }

        ComputeScalars(insn, op, isReg, ref dst, other);
    }

    /// <returns>True when a pointer took part and everything is done.</returns>
    private bool ComputeWithPointer(in BpfInsn insn, byte op, ref RegState dst)
    {
        ref var src = ref Reg(insn.Src);
        if (src.Type != RegType.Scalar)
        {
            if (dst.Type == RegType.Scalar)
            {
                MarkChainPrecision(insn.Dst);
                var offset = dst;
                MovePointer(insn, op, src, offset);
                return true;
            }

            if (op == BpfOp.Sub && AllowPtrLeaks)
            {
                MarkRegUnknown(insn.Dst);
                return true;
            }

            Reject(DiagCode.PtrArithmetic, $"R{insn.Dst} pointer {OpSymbol(op)} pointer prohibited",
                insn.Dst, Errno.EACCES);
        }

        if (dst.Type != RegType.Scalar)
        {
            MarkChainPrecision(insn.Src);
            MovePointer(insn, op, dst, src);
            return true;
        }

        if (dst.Precise)
        {
            MarkChainPrecision(insn.Src);
        }

        return false;
    }

    private void ComputeScalars(in BpfInsn insn, byte op, bool isReg, ref RegState dst, in RegState other)
    {
        var is32 = insn.Class == InsnClass.Alu;
        if (isReg && !BypassSpecV1 && (op is BpfOp.Add or BpfOp.Sub))
        {
            RememberMask(insn, op, new PtrMask(PtrMaskKinds.NonPointer, 0));
        }

        var deduces = Kernel.Profile.DeducesBounds;
        var umax = dst.Var.UMax;
        if (deduces && ScalarAlu.ForkWidthBits(op, dst.Var, other.Var) is var width and not 0)
        {
            ForkMask(insn.Dst, width, ref dst);
        }

        if (!Numbers.Apply(op, isSigned: insn.Off == 1, is32, ref dst.Var, other.Var))
        {
            dst.MarkUnknown(AlwaysPrecise);
        }

        if (deduces && BpfCapable && dst.Id != 0 && (dst.Id & RegState.AddConst) == 0
            && !(isReg && insn.Src == insn.Dst) && DifferenceOf(op, is32, other, umax) is { } delta)
        {
            dst.Id |= is32 ? RegState.AddConst32 : RegState.AddConst64;
            dst.Off = delta;
        }
        else
        {
            ClearScalarId(ref dst);
        }
    }

    /// <summary>The constant by which a number goes on being linked with those that it was a copy of, if so.</summary>
    /// <param name="op">The operation.</param>
    /// <param name="is32">Whether it works on low halves.</param>
    /// <param name="other">The right operand.</param>
    /// <param name="umax">The number's largest value before.</param>
    private int? DifferenceOf(byte op, bool is32, in RegState other, ulong umax)
    {
        if (!Kernel.Profile.LinksByAnyDifference)
        {
            return op == BpfOp.Add && !is32 && other.Type == RegType.Scalar && other.Var.IsConst
                && other.Var.ConstValue <= int.MaxValue ? (int)other.Var.ConstValue : null;
        }

        if (op is not (BpfOp.Add or BpfOp.Sub) || !other.Var.IsConstIn(is32) || (is32 && umax > uint.MaxValue))
        {
            return null;
        }

        var value = other.Var.ConstValueIn(is32);
        if (!is32 && (long)value is < int.MinValue or > int.MaxValue)
        {
            return null;
        }

        return op == BpfOp.Add ? (int)value : (int)value == int.MinValue ? null : -(int)value;
    }

    /// <summary>
    /// A mask made of a comparison is either all ones or zero: explore both (<c>maybe_fork_scalars</c>).
    /// </summary>
    private void ForkMask(int regno, int width, ref RegState dst)
    {
        ref var zero = ref PushStack(InsnIdx, InsnIdx).Cur.Regs[regno];
        if (width == 32)
        {
            zero.Var.SetConst32(0);
            dst.Var.SetConst32(uint.MaxValue);
        }
        else
        {
            zero.MarkKnown(0);
            dst.MarkKnown(ulong.MaxValue);
        }
    }

    private static string OpSymbol(byte op) => (op & BpfOp.OpMask) switch
    {
        BpfOp.Add => "+=",
        BpfOp.Sub => "-=",
        BpfOp.Mul => "*=",
        BpfOp.Div => "/=",
        BpfOp.Or => "|=",
        BpfOp.And => "&=",
        BpfOp.Lsh => "<<=",
        BpfOp.Rsh => ">>=",
        BpfOp.Neg => "neg",
        BpfOp.Mod => "%=",
        BpfOp.Xor => "^=",
        BpfOp.Mov => "=",
        BpfOp.Arsh => "s>>=",
        _ => "endian",
    };
}
