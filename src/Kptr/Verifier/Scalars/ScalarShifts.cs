using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>Shifts by a known amount that is less than the width.</summary>
/// <remarks>A 32-bit shift forgets the 64-bit ranges: zero extension brings them back from the low half.</remarks>
internal static class ScalarShifts
{
    /// <summary>Shifts <paramref name="dst"/> left, right or arithmetically right.</summary>
    public static void Apply(byte op, bool is32, ref ScalarRange dst, in ScalarRange src)
    {
        var shift = (int)(is32 ? src.U32Min : src.UMin);
        if (is32)
        {
            Shift32(op, ref dst, shift);
            dst.SetUnbounded64();
            dst.LearnRange32FromBits();
        }
        else
        {
            Shift64(op, ref dst, shift);
            dst.LearnRangesFromBits();
        }
    }

    private static void Shift32(byte op, ref ScalarRange dst, int shift)
    {
        switch (op)
        {
            case BpfOp.Lsh:
                LeftLow(ref dst, shift);
                dst.Bits = (dst.Bits.Subreg << shift).Subreg;
                break;
            case BpfOp.Rsh:
                (dst.S32Min, dst.S32Max) = (int.MinValue, int.MaxValue);
                dst.U32Min >>= shift;
                dst.U32Max >>= shift;
                dst.Bits = dst.Bits.Subreg >>> shift;
                break;
            default:
                dst.S32Min >>= shift;
                dst.S32Max >>= shift;
                (dst.U32Min, dst.U32Max) = (0, uint.MaxValue);
                dst.Bits = dst.Bits.ShiftArith32(shift);
                break;
        }
    }

    private static void Shift64(byte op, ref ScalarRange dst, int shift)
    {
        switch (op)
        {
            case BpfOp.Lsh:
                LeftWide(ref dst, shift);
                LeftLow(ref dst, shift);
                dst.Bits <<= shift;
                break;
            case BpfOp.Rsh:
                (dst.SMin, dst.SMax) = (long.MinValue, long.MaxValue);
                dst.UMin >>= shift;
                dst.UMax >>= shift;
                dst.SetUnbounded32();
                dst.Bits >>>= shift;
                break;
            default:
                dst.SMin >>= shift;
                dst.SMax >>= shift;
                (dst.UMin, dst.UMax) = (0, ulong.MaxValue);
                dst.SetUnbounded32();
                dst.Bits = dst.Bits.ShiftArith64(shift);
                break;
        }
    }

    // Of a 64-bit shift only one by 32 keeps the sign: compilers sign-extend by << 32, s>> 32.
    private static void LeftWide(ref ScalarRange dst, int shift)
    {
        (dst.SMin, dst.SMax) = shift == 32
            ? ((long)dst.S32Min << 32, (long)dst.S32Max << 32) : (long.MinValue, long.MaxValue);
        if (dst.UMax > 1UL << (63 - shift))
        {
            (dst.UMin, dst.UMax) = (0, ulong.MaxValue);
        }
        else
        {
            dst.UMin <<= shift;
            dst.UMax <<= shift;
        }
    }

    private static void LeftLow(ref ScalarRange dst, int shift)
    {
        (dst.S32Min, dst.S32Max) = (int.MinValue, int.MaxValue);
        if (shift > 31 || dst.U32Max > 1UL << (31 - shift))
        {
            (dst.U32Min, dst.U32Max) = (0, uint.MaxValue);
        }
        else
        {
            dst.U32Min <<= shift;
            dst.U32Max <<= shift;
        }
    }
}
