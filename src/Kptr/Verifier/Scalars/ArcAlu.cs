using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>What arithmetic makes of arcs, before zero extension and a sync.</summary>
/// <remarks>The laws are those of <see cref="ScalarAlu"/>. Kernel: <c>adjust_scalar_min_max_vals</c>, 7.2.</remarks>
internal static class ArcAlu
{
    /// <summary>Computes <c>dst = dst op src</c>.</summary>
    /// <returns>False where the result is unknown: what divides or shifts is no constant, or too large.</returns>
    public static bool TryCompute(byte op, bool isSigned, bool is32, ref ScalarRange dst, in ScalarRange src)
    {
        switch (op)
        {
            case BpfOp.Add:
                dst.Low += src.Low;
                dst.Wide += src.Wide;
                dst.Bits += src.Bits;
                return true;
            case BpfOp.Sub:
                dst.Low -= src.Low;
                dst.Wide -= src.Wide;
                dst.Bits -= src.Bits;
                return true;
            case BpfOp.Mul:
                dst.Bits = Tnum.MultiplyByCases(dst.Bits, src.Bits);
                MultiplyLow(ref dst, src);
                MultiplyWide(ref dst, src);
                return true;
            case BpfOp.And or BpfOp.Or or BpfOp.Xor:
                Bitwise(op, ref dst, src);
                return true;
            case BpfOp.Div or BpfOp.Mod:
                return ScalarQuotients.TryDivide(op, isSigned, is32, ref dst, src);
            case BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh when ScalarAlu.IsComputable(op, is32, src) && is32:
                ShiftLow(op, ref dst, (int)src.U32Min);
                return true;
            case BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh when ScalarAlu.IsComputable(op, is32, src):
                ShiftWide(op, ref dst, (int)src.UMin);
                return true;
            default:
                return false;
        }
    }

    // Both readings are multiplied, each where it cannot overflow; signed, all four products of the ends count.
    private static void MultiplyLow(ref ScalarRange dst, in ScalarRange src)
    {
        var most = (ulong)dst.U32Max * src.U32Max;
        var unsigned = most > uint.MaxValue
            ? Arc<uint>.Any : Arc<uint>.Unsigned(dst.U32Min * src.U32Min, (uint)most);
        long a = (long)dst.S32Min * src.S32Min, b = (long)dst.S32Min * src.S32Max;
        long c = (long)dst.S32Max * src.S32Min, d = (long)dst.S32Max * src.S32Max;
        long min = Math.Min(Math.Min(a, b), Math.Min(c, d)), max = Math.Max(Math.Max(a, b), Math.Max(c, d));
        var signed = min < int.MinValue || max > int.MaxValue
            ? Arc<uint>.Any : Arc<uint>.Signed((uint)min, (uint)max);
        dst.Low = unsigned.Intersect(signed);
    }

    private static void MultiplyWide(ref ScalarRange dst, in ScalarRange src)
    {
        var most = (UInt128)dst.UMax * src.UMax;
        var unsigned = most > ulong.MaxValue
            ? Arc<ulong>.Any : Arc<ulong>.Unsigned(dst.UMin * src.UMin, (ulong)most);
        Int128 a = (Int128)dst.SMin * src.SMin, b = (Int128)dst.SMin * src.SMax;
        Int128 c = (Int128)dst.SMax * src.SMin, d = (Int128)dst.SMax * src.SMax;
        Int128 min = Int128.Min(Int128.Min(a, b), Int128.Min(c, d));
        Int128 max = Int128.Max(Int128.Max(a, b), Int128.Max(c, d));
        var signed = min < long.MinValue || max > long.MaxValue
            ? Arc<ulong>.Any : Arc<ulong>.Signed((ulong)(long)min, (ulong)(long)max);
        dst.Wide = unsigned.Intersect(signed);
    }

    // The bits come first; of the arc one end is theirs and the other the operands'.
    private static void Bitwise(byte op, ref ScalarRange dst, in ScalarRange src)
    {
        bool isConst = src.IsConst, isLowConst = src.Bits.IsSubregConst;
        dst.Bits = op switch
        {
            BpfOp.And => dst.Bits & src.Bits,
            BpfOp.Or => dst.Bits | src.Bits,
            _ => dst.Bits ^ src.Bits,
        };
        if (isLowConst && dst.Bits.IsSubregConst)
        {
            dst.SetConst32((uint)dst.Bits.Value);
        }
        else
        {
            dst.Low = Arc<uint>.Unsigned(
                op == BpfOp.Or ? Math.Max(dst.U32Min, src.U32Min) : (uint)dst.Bits.Value,
                op == BpfOp.And ? Math.Min(dst.U32Max, src.U32Max) : (uint)dst.Bits.Max);
        }

        if (isConst && dst.IsConst)
        {
            dst.SetConst(dst.Bits.Value);
            return;
        }

        dst.Wide = Arc<ulong>.Unsigned(
            op == BpfOp.Or ? Math.Max(dst.UMin, src.UMin) : dst.Bits.Value,
            op == BpfOp.And ? Math.Min(dst.UMax, src.UMax) : dst.Bits.Max);
        if (op != BpfOp.Xor)
        {
            ArcRules.LearnFromBits(ref dst);
        }
    }

    private static void ShiftLow(byte op, ref ScalarRange dst, int shift)
    {
        switch (op)
        {
            case BpfOp.Lsh:
                LeftLow(ref dst, shift);
                dst.Bits = (dst.Bits.Subreg << shift).Subreg;
                break;
            case BpfOp.Rsh:
                dst.Low = Arc<uint>.Unsigned(dst.U32Min >> shift, dst.U32Max >> shift);
                dst.Bits = dst.Bits.Subreg >>> shift;
                break;
            default:
                dst.Low = Arc<uint>.Signed((uint)(dst.S32Min >> shift), (uint)(dst.S32Max >> shift));
                dst.Bits = dst.Bits.ShiftArith32(shift);
                break;
        }

        dst.SetUnbounded64();
        ArcRules.LearnLowFromBits(ref dst);
    }

    private static void ShiftWide(byte op, ref ScalarRange dst, int shift)
    {
        switch (op)
        {
            case BpfOp.Lsh:
                LeftWide(ref dst, shift);
                LeftLow(ref dst, shift);
                dst.Bits <<= shift;
                break;
            case BpfOp.Rsh:
                dst.Wide = Arc<ulong>.Unsigned(dst.UMin >> shift, dst.UMax >> shift);
                dst.SetUnbounded32();
                dst.Bits >>>= shift;
                break;
            default:
                dst.Wide = Arc<ulong>.Signed((ulong)(dst.SMin >> shift), (ulong)(dst.SMax >> shift));
                dst.SetUnbounded32();
                dst.Bits = dst.Bits.ShiftArith64(shift);
                break;
        }

        ArcRules.LearnFromBits(ref dst);
    }

    // Of a 64-bit shift only one by 32 keeps the sign: compilers sign-extend by << 32, s>> 32.
    private static void LeftWide(ref ScalarRange dst, int shift)
    {
        var signed = shift == 32
            ? Arc<ulong>.Signed((ulong)((long)dst.S32Min << 32), (ulong)((long)dst.S32Max << 32)) : Arc<ulong>.Any;
        var unsigned = dst.UMax > 1UL << (63 - shift)
            ? Arc<ulong>.Any : Arc<ulong>.Unsigned(dst.UMin << shift, dst.UMax << shift);
        dst.Wide = unsigned.Intersect(signed);
    }

    private static void LeftLow(ref ScalarRange dst, int shift) =>
        dst.Low = shift > 31 || dst.U32Max > 1UL << (31 - shift)
            ? Arc<uint>.Any : Arc<uint>.Unsigned(dst.U32Min << shift, dst.U32Max << shift);
}
