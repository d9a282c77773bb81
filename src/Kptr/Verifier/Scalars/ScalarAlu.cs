using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>What arithmetic instructions do to known numbers.</summary>
/// <remarks>
/// Law, for every operation: if x is in dst and y in src, the instruction's result is in the new dst. Kernel:
/// <c>adjust_scalar_min_max_vals</c>.
/// </remarks>
internal static class ScalarAlu
{
    /// <summary>
    /// Computes <c>dst = dst op src</c>, in 64 bits or (<paramref name="is32"/>) in 32 bits and zero-extended.
    /// </summary>
    /// <param name="op">The operation bits of the opcode (<see cref="BpfOp.Add"/>...). Division, modulo and shifts
    /// by an amount that is not a constant in range give an unknown number, as in Linux 6.12.</param>
    /// <param name="is32">Whether the instruction is of class ALU and not ALU64.</param>
    /// <param name="dst">First operand and result.</param>
    /// <param name="src">Second operand; must not alias <paramref name="dst"/>.</param>
    /// <returns>False where the result is unknown.</returns>
    public static bool Apply(byte op, bool is32, ref ScalarRange dst, in ScalarRange src)
    {
        if (!IsComputable(op, is32, src))
        {
            dst.SetUnknown();
            return false;
        }

        switch (op)
        {
            case BpfOp.Add:
                ScalarSums.Add(ref dst, src);
                break;
            case BpfOp.Sub:
                ScalarSums.Sub(ref dst, src);
                break;
            case BpfOp.Mul:
                ScalarSums.Mul(ref dst, src);
                break;
            case BpfOp.And:
                ScalarBitwise.And(ref dst, src);
                break;
            case BpfOp.Or:
                ScalarBitwise.Or(ref dst, src);
                break;
            case BpfOp.Xor:
                ScalarBitwise.Xor(ref dst, src);
                break;
            default:
                ScalarShifts.Apply(op, is32, ref dst, src);
                break;
        }

        if (is32)
        {
            dst.ZeroExtend32();
        }

        dst.Sync();
        return true;
    }

    /// <summary>
    /// Whether <c>dst &amp; const</c> or <c>dst | const</c> is better explored as the two cases dst = 0 and dst
    /// = -1, and in which width.
    /// </summary>
    /// <returns>64, 32, or 0 for no.</returns>
    /// <remarks>Kernel: <c>maybe_fork_scalars</c>: compilers make such masks of comparisons.</remarks>
    public static int ForkWidthBits(byte op, in ScalarRange dst, in ScalarRange src)
    {
        if (op is not (BpfOp.And or BpfOp.Or) || !src.IsConst)
        {
            return 0;
        }

        return dst.SMin == -1 && dst.SMax == 0 ? 64 : dst.S32Min == -1 && dst.S32Max == 0 ? 32 : 0;
    }

    /// <summary>Whether the second operand is one number by its bits and by its ranges.</summary>
    internal static bool IsConst(in ScalarRange src, bool is32) => is32
        ? src.Bits.IsSubregConst && src.S32Min == src.S32Max && src.U32Min == src.U32Max
        : src.Bits.IsConst && src.SMin == src.SMax && src.UMin == src.UMax;

    /// <summary>Whether the result is known: of shifts only by a known amount that is less than the width.</summary>
    internal static bool IsComputable(byte op, bool is32, in ScalarRange src)
    {
        switch (op)
        {
            case BpfOp.Add or BpfOp.Sub or BpfOp.Mul or BpfOp.And or BpfOp.Or or BpfOp.Xor:
                return true;
            case BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh:
                return IsConst(src, is32) && src.UMax < (is32 ? 32UL : 64UL);
            default:
                return false;
        }
    }
}
