namespace Kptr.Verifier.Scalars;

/// <summary>
/// Addition, subtraction and multiplication: both widths at once, for they differ in the low half by nothing.
/// </summary>
internal static class ScalarSums
{
    /// <summary>Sum. A range whose end overflows is forgotten.</summary>
    public static void Add(ref ScalarRange dst, in ScalarRange src)
    {
        AddRanges(ref dst, src);
        dst.Bits += src.Bits;
    }

    /// <summary>Sum without a sync, for registers that follow another at a fixed distance.</summary>
    public static void AddRanges(ref ScalarRange dst, in ScalarRange src)
    {
        (dst.S32Min, dst.S32Max) = SumOrAny(dst.S32Min, dst.S32Max, src.S32Min, src.S32Max);
        (dst.U32Min, dst.U32Max) = SumOrAny(dst.U32Min, dst.U32Max, src.U32Min, src.U32Max);
        (dst.SMin, dst.SMax) = SumOrAny(dst.SMin, dst.SMax, src.SMin, src.SMax);
        (dst.UMin, dst.UMax) = SumOrAny(dst.UMin, dst.UMax, src.UMin, src.UMax);
    }

    /// <summary>The 64-bit ranges of a sum, for pointers.</summary>
    public static void AddWide(ref ScalarRange dst, in ScalarRange a, in ScalarRange b)
    {
        (dst.SMin, dst.SMax) = SumOrAny(a.SMin, a.SMax, b.SMin, b.SMax);
        (dst.UMin, dst.UMax) = SumOrAny(a.UMin, a.UMax, b.UMin, b.UMax);
    }

    /// <summary>The 64-bit ranges of a difference.</summary>
    public static void SubWide(ref ScalarRange dst, in ScalarRange a, in ScalarRange b)
    {
        (dst.SMin, dst.SMax) = DifferenceOrAny(a.SMin, a.SMax, b.SMin, b.SMax);
        (dst.UMin, dst.UMax) = a.UMin < b.UMax ? (0, ulong.MaxValue) : (a.UMin - b.UMax, a.UMax - b.UMin);
    }

    /// <summary>
    /// Difference. A signed range whose end overflows, and an unsigned one that may borrow, is forgotten.
    /// </summary>
    public static void Sub(ref ScalarRange dst, in ScalarRange src)
    {
        (dst.S32Min, dst.S32Max) = DifferenceOrAny(dst.S32Min, dst.S32Max, src.S32Min, src.S32Max);
        (dst.U32Min, dst.U32Max) = dst.U32Min < src.U32Max
            ? (0, uint.MaxValue) : (dst.U32Min - src.U32Max, dst.U32Max - src.U32Min);
        SubWide(ref dst, dst, src);
        dst.Bits -= src.Bits;
    }

    /// <summary>Product. Known only of numbers that are not negative and fit half the width.</summary>
    public static void Mul(ref ScalarRange dst, in ScalarRange src)
    {
        dst.Bits *= src.Bits;
        Mul32(ref dst, src);
        Mul64(ref dst, src);
    }

    private static void Mul32(ref ScalarRange dst, in ScalarRange src)
    {
        if (src.S32Min < 0 || dst.S32Min < 0 || src.U32Max > ushort.MaxValue || dst.U32Max > ushort.MaxValue)
        {
            dst.SetUnbounded32();
            return;
        }

        dst.U32Min *= src.U32Min;
        dst.U32Max *= src.U32Max;
        (dst.S32Min, dst.S32Max) = dst.U32Max > int.MaxValue
            ? (int.MinValue, int.MaxValue) : ((int)dst.U32Min, (int)dst.U32Max);
    }

    private static void Mul64(ref ScalarRange dst, in ScalarRange src)
    {
        if (src.SMin < 0 || dst.SMin < 0 || src.UMax > uint.MaxValue || dst.UMax > uint.MaxValue)
        {
            dst.SetUnbounded64();
            return;
        }

        dst.UMin *= src.UMin;
        dst.UMax *= src.UMax;
        (dst.SMin, dst.SMax) = dst.UMax > long.MaxValue
            ? (long.MinValue, long.MaxValue) : ((long)dst.UMin, (long)dst.UMax);
    }

    private static (int Min, int Max) SumOrAny(int min, int max, int addMin, int addMax)
    {
        long lo = (long)min + addMin, hi = (long)max + addMax;
        return lo != (int)lo || hi != (int)hi ? (int.MinValue, int.MaxValue) : ((int)lo, (int)hi);
    }

    private static (uint Min, uint Max) SumOrAny(uint min, uint max, uint addMin, uint addMax)
    {
        ulong lo = (ulong)min + addMin, hi = (ulong)max + addMax;
        return lo > uint.MaxValue || hi > uint.MaxValue ? (0, uint.MaxValue) : ((uint)lo, (uint)hi);
    }

    private static (long Min, long Max) SumOrAny(long min, long max, long addMin, long addMax)
    {
        long lo = unchecked(min + addMin), hi = unchecked(max + addMax);
        var overflow = ((min ^ lo) & (addMin ^ lo)) < 0 || ((max ^ hi) & (addMax ^ hi)) < 0;
        return overflow ? (long.MinValue, long.MaxValue) : (lo, hi);
    }

    private static (ulong Min, ulong Max) SumOrAny(ulong min, ulong max, ulong addMin, ulong addMax)
    {
        ulong lo = unchecked(min + addMin), hi = unchecked(max + addMax);
        return lo < min || hi < max ? (0, ulong.MaxValue) : (lo, hi);
    }

    private static (int Min, int Max) DifferenceOrAny(int min, int max, int subMin, int subMax)
    {
        long lo = (long)min - subMax, hi = (long)max - subMin;
        return lo != (int)lo || hi != (int)hi ? (int.MinValue, int.MaxValue) : ((int)lo, (int)hi);
    }

    private static (long Min, long Max) DifferenceOrAny(long min, long max, long subMin, long subMax)
    {
        long lo = unchecked(min - subMax), hi = unchecked(max - subMin);
        var overflow = ((min ^ subMax) & (min ^ lo)) < 0 || ((max ^ subMin) & (max ^ hi)) < 0;
        return overflow ? (long.MinValue, long.MaxValue) : (lo, hi);
    }
}
