namespace Kptr.Verifier.Scalars;

/// <summary>And, or and exclusive or.</summary>
/// <remarks>
/// The new bits are computed first; both known operands give a known result at once. Otherwise one end of the unsigned
/// range comes from the bits and the other from the operands, and the signed range is the unsigned one where that does
/// not cross the sign boundary.
/// </remarks>
internal static class ScalarBitwise
{
    /// <summary>Bitwise and: not above either operand.</summary>
    public static void And(ref ScalarRange dst, in ScalarRange src)
    {
        dst.Bits &= src.Bits;
        if (!FixLowIfConst(ref dst, src))
        {
            SetLow(ref dst, (uint)dst.Bits.Value, Math.Min(dst.U32Max, src.U32Max));
        }

        if (!FixIfConst(ref dst, src))
        {
            SetWide(ref dst, dst.Bits.Value, Math.Min(dst.UMax, src.UMax));
        }
    }

    /// <summary>Bitwise or: not below either operand.</summary>
    public static void Or(ref ScalarRange dst, in ScalarRange src)
    {
        dst.Bits |= src.Bits;
        if (!FixLowIfConst(ref dst, src))
        {
            SetLow(ref dst, Math.Max(dst.U32Min, src.U32Min), (uint)dst.Bits.Max);
        }

        if (!FixIfConst(ref dst, src))
        {
            SetWide(ref dst, Math.Max(dst.UMin, src.UMin), dst.Bits.Max);
        }
    }

    /// <summary>Exclusive or: only the bits are known.</summary>
    public static void Xor(ref ScalarRange dst, in ScalarRange src)
    {
        dst.Bits ^= src.Bits;
        if (!FixLowIfConst(ref dst, src))
        {
            SetLow(ref dst, (uint)dst.Bits.Value, (uint)dst.Bits.Max);
        }

        if (!FixIfConst(ref dst, src))
        {
            SetWide(ref dst, dst.Bits.Value, dst.Bits.Max);
        }
    }

    private static bool FixLowIfConst(ref ScalarRange dst, in ScalarRange src)
    {
        if (!src.Bits.IsSubregConst || !dst.Bits.IsSubregConst)
        {
            return false;
        }

        dst.SetConst32((uint)dst.Bits.Value);
        return true;
    }

    private static bool FixIfConst(ref ScalarRange dst, in ScalarRange src)
    {
        if (!src.Bits.IsConst || !dst.Bits.IsConst)
        {
            return false;
        }

        dst.SetConst(dst.Bits.Value);
        return true;
    }

    private static void SetLow(ref ScalarRange dst, uint min, uint max)
    {
        dst.U32Min = min;
        dst.U32Max = max;
        (dst.S32Min, dst.S32Max) = (int)min <= (int)max ? ((int)min, (int)max) : (int.MinValue, int.MaxValue);
    }

    private static void SetWide(ref ScalarRange dst, ulong min, ulong max)
    {
        dst.UMin = min;
        dst.UMax = max;
        (dst.SMin, dst.SMax) = (long)min <= (long)max ? ((long)min, (long)max) : (long.MinValue, long.MaxValue);
        dst.LearnRangesFromBits();
    }
}
