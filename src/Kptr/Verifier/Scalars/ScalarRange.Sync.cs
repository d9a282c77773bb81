namespace Kptr.Verifier.Scalars;

/// <content>How the five views of a number learn from each other.</content>
internal partial struct ScalarRange
{
    /// <summary>Lets every view learn from the others.</summary>
    /// <remarks>
    /// Laws: no contained number is lost; no range grows. Three rounds of deduction, as in Linux 6.12
    /// (<c>reg_bounds_sync</c>): it is not a fixed point, and the verdicts show it.
    /// </remarks>
    public void Sync()
    {
        LearnRangesFromBits();
        for (var round = 0; round < 3; round++)
        {
            Learn32From64();
            Learn32SignFromUnsigned();
            Learn64SignFromUnsigned();
            Learn64From32();
        }

        LearnBitsFromRanges();
        LearnRangesFromBits();
    }

    /// <summary>Whether one of the four ranges contains nothing. Kernel: <c>range_bounds_violation</c>.</summary>
    public readonly bool IsEmpty =>
        UMin > UMax || SMin > SMax || U32Min > U32Max || S32Min > S32Max || IsEmptyArc;

    /// <summary>The first rule of consistency that is broken, or <see langword="null"/>.</summary>
    /// <remarks>Kernel: <c>reg_bounds_sanity_check</c>; its words.</remarks>
    public readonly string? FindViolation()
    {
        if (IsEmpty)
        {
            return "range bounds violation";
        }

        if (Bits.IsConst
            && (UMin != Bits.Value || UMax != Bits.Value || SMin != (long)Bits.Value || SMax != (long)Bits.Value))
        {
            return "const tnum out of sync with range bounds";
        }

        var low = (uint)Bits.Value;
        return Bits.IsSubregConst && (U32Min != low || U32Max != low || S32Min != (int)low || S32Max != (int)low)
            ? "const subreg tnum out of sync with range bounds"
            : null;
    }

    /// <summary>Tightens all ranges by the known bits. Kernel: <c>__update_reg_bounds</c>.</summary>
    internal void LearnRangesFromBits()
    {
        LearnRange32FromBits();
        SMin = Math.Max(SMin, (long)(Bits.Value | (Bits.Mask & (1UL << 63))));
        SMax = Math.Min(SMax, (long)(Bits.Value | (Bits.Mask & long.MaxValue)));
        UMin = Math.Max(UMin, Bits.Value);
        UMax = Math.Min(UMax, Bits.Max);
    }

    /// <summary>Tightens the 32-bit ranges by the known bits of the low half.</summary>
    internal void LearnRange32FromBits()
    {
        uint value = (uint)Bits.Value, mask = (uint)Bits.Mask;
        S32Min = Math.Max(S32Min, (int)(value | (mask & 0x80000000)));
        S32Max = Math.Min(S32Max, (int)(value | (mask & int.MaxValue)));
        U32Min = Math.Max(U32Min, value);
        U32Max = Math.Min(U32Max, value | mask);
    }

    // Where the high half is the same throughout a 64-bit range, its low halves are a range as well; where the high
    // half steps up by one in it, they are a signed range if they cross from negative to positive.
    private void Learn32From64()
    {
        if (UMin >> 32 == UMax >> 32)
        {
            U32Min = Math.Max(U32Min, (uint)UMin);
            U32Max = Math.Min(U32Max, (uint)UMax);
            if ((int)UMin <= (int)UMax)
            {
                ClampLowSigned((int)UMin, (int)UMax);
            }
        }

        if (SMin >> 32 == SMax >> 32)
        {
            if ((uint)SMin <= (uint)SMax)
            {
                U32Min = Math.Max(U32Min, (uint)SMin);
                U32Max = Math.Min(U32Max, (uint)SMax);
            }

            if ((int)SMin <= (int)SMax)
            {
                ClampLowSigned((int)SMin, (int)SMax);
            }
        }

        if ((uint)(UMin >> 32) + 1 == (uint)(UMax >> 32) && (int)UMin < 0 && (int)UMax >= 0)
        {
            ClampLowSigned((int)UMin, (int)UMax);
        }

        if ((uint)(SMin >> 32) + 1 == (uint)(SMax >> 32) && (int)SMin < 0 && (int)SMax >= 0)
        {
            ClampLowSigned((int)SMin, (int)SMax);
        }
    }

    private void ClampLowSigned(int min, int max)
    {
        S32Min = Math.Max(S32Min, min);
        S32Max = Math.Min(S32Max, max);
    }

    // A range that does not cross the sign boundary reads the same signed and unsigned. A signed range that does cross
    // it is two unsigned pieces at the ends: where the unsigned range meets one piece only, that piece is what is left.
    private void Learn32SignFromUnsigned()
    {
        if ((int)U32Min <= (int)U32Max)
        {
            ClampLowSigned((int)U32Min, (int)U32Max);
        }

        if ((uint)S32Min <= (uint)S32Max)
        {
            U32Min = Math.Max((uint)S32Min, U32Min);
            U32Max = Math.Min((uint)S32Max, U32Max);
        }
        else if (U32Max < (uint)S32Min)
        {
            S32Min = (int)U32Min;
            U32Max = Math.Min(U32Max, (uint)S32Max);
        }
        else if ((uint)S32Max < U32Min)
        {
            S32Max = (int)U32Max;
            U32Min = Math.Max(U32Min, (uint)S32Min);
        }
    }

    private void Learn64SignFromUnsigned()
    {
        if ((long)UMin <= (long)UMax)
        {
            SMin = Math.Max(SMin, (long)UMin);
            SMax = Math.Min(SMax, (long)UMax);
        }

        if ((ulong)SMin <= (ulong)SMax)
        {
            UMin = Math.Max((ulong)SMin, UMin);
            UMax = Math.Min((ulong)SMax, UMax);
        }
        else if (UMax < (ulong)SMin)
        {
            SMin = (long)UMin;
            UMax = Math.Min(UMax, (ulong)SMax);
        }
        else if ((ulong)SMax < UMin)
        {
            SMax = (long)UMax;
            UMin = Math.Max(UMin, (ulong)SMin);
        }
    }

    // The low halves of the ends of a 64-bit range can be no lower and no higher than the 32-bit range says.
    private void Learn64From32()
    {
        TightenLowHalves(U32Min, U32Max);
        if ((uint)S32Min <= (uint)S32Max)
        {
            TightenLowHalves((uint)S32Min, (uint)S32Max);
        }

        // A sign-extended number whose low half is not negative is that low half.
        if (S32Min >= 0 && SMin >= int.MinValue && SMax <= int.MaxValue)
        {
            SMin = S32Min;
            SMax = S32Max;
            UMin = (ulong)S32Min;
            UMax = (ulong)S32Max;
            Bits = Bits.Intersect(Tnum.Range((ulong)SMin, (ulong)SMax));
        }
    }

    private void TightenLowHalves(uint min, uint max)
    {
        const ulong High = 0xffffffff00000000;
        UMin = Math.Max(UMin, (UMin & High) | min);
        UMax = Math.Min(UMax, (UMax & High) | max);
        SMin = Math.Max(SMin, (long)(((ulong)SMin & High) | min));
        SMax = Math.Min(SMax, (long)(((ulong)SMax & High) | max));
    }

    /// <summary>Keeps of the bits what the unsigned ranges allow. Kernel: <c>__reg_bound_offset</c>.</summary>
    internal void LearnBitsFromRanges()
    {
        var wide = Bits.Intersect(Tnum.Range(UMin, UMax));
        var low = wide.Subreg.Intersect(Tnum.Range(U32Min, U32Max));
        Bits = wide.ClearSubreg | low;
    }
}
