namespace Kptr.Verifier.Scalars;

/// <content>Truncation and extension.</content>
internal partial struct ScalarRange
{
    /// <summary>The low half, zero-extended: what a 32-bit instruction leaves. The caller syncs.</summary>
    /// <remarks>Kernel: <c>zext_32_to_64</c>.</remarks>
    public void ZeroExtend32()
    {
        Bits = Bits.Subreg;
        UMin = U32Min;
        UMax = U32Max;
        var positive = S32Min >= 0 && S32Max >= 0;
        SMin = positive ? S32Min : 0;
        SMax = positive ? S32Max : uint.MaxValue;
    }

    /// <summary>
    /// The low 1, 2 or 4 bytes, zero-extended: what a narrow load leaves. Kernel: <c>coerce_reg_to_size</c>.
    /// </summary>
    public void Truncate(int sizeBytes)
    {
        TruncateRanges(sizeBytes);
        if (sizeBytes < 4)
        {
            SetUnbounded32();
        }

        Sync();
    }

    /// <summary>The same of the 64-bit views alone, without a sync.</summary>
    internal void TruncateRanges(int sizeBytes)
    {
        Bits = Bits.Cast(sizeBytes);
        var mask = (1UL << (sizeBytes * 8)) - 1;
        var sameHigh = (UMin & ~mask) == (UMax & ~mask);
        UMin = sameHigh ? UMin & mask : 0;
        UMax = sameHigh ? UMax & mask : mask;
        SMin = (long)UMin;
        SMax = (long)UMax;
    }

    /// <summary>The low 1, 2 or 4 bytes, sign-extended to 64 bits. Kernel: <c>coerce_reg_to_size_sx</c>.</summary>
    /// <remarks>Does not sync, as the kernel does not.</remarks>
    public void SignExtend64(int sizeBytes)
    {
        ForgetArcs();
        if (Bits.IsConst)
        {
            SetConst((ulong)Extend(Bits.Value, sizeBytes));
            return;
        }

        var bits = sizeBytes * 8;
        if ((ulong)SMax >> bits == (ulong)SMin >> bits)
        {
            long a = Extend((ulong)SMax, sizeBytes), b = Extend((ulong)SMin, sizeBytes);
            long max = Math.Max(a, b), min = Math.Min(a, b);
            if (max >= 0 == min >= 0)
            {
                SMin = min;
                SMax = max;
                S32Min = (int)min;
                S32Max = (int)max;
                UMin = (ulong)min;
                UMax = (ulong)max;
                U32Min = (uint)min;
                U32Max = (uint)max;
                Bits = Tnum.Range((ulong)min, (ulong)max);
                return;
            }
        }

        SetUnknown();
        SMin = S32Min = -(1 << (bits - 2)) * 2;
        SMax = S32Max = ~S32Min;
    }

    /// <summary>The low 1 or 2 bytes, sign-extended to 32 bits. Kernel: <c>coerce_subreg_to_size_sx</c>.</summary>
    /// <remarks>Leaves the 64-bit ranges stale: <see cref="ZeroExtend32"/> and <see cref="Sync"/> follow.</remarks>
    public void SignExtend32(int sizeBytes)
    {
        ForgetArcs();
        if (Bits.IsConst)
        {
            var value = Extend(Bits.Value, sizeBytes);
            Bits = Tnum.Const((ulong)value);
            S32Min = S32Max = (int)value;
            U32Min = U32Max = (uint)value;
            return;
        }

        var bits = sizeBytes * 8;
        if ((uint)S32Max >> bits == (uint)S32Min >> bits)
        {
            int a = (int)Extend((uint)S32Max, sizeBytes), b = (int)Extend((uint)S32Min, sizeBytes);
            int max = Math.Max(a, b), min = Math.Min(a, b);
            if (max >= 0 == min >= 0)
            {
                S32Min = min;
                S32Max = max;
                U32Min = (uint)min;
                U32Max = (uint)max;
                Bits = Tnum.Range((ulong)min, (ulong)max).Subreg;
                return;
            }
        }

        S32Min = -(1 << (bits - 1));
        S32Max = ~S32Min;
        U32Min = 0;
        U32Max = uint.MaxValue;
        Bits = Tnum.Unknown.Subreg;
    }

    private static long Extend(ulong value, int sizeBytes) => sizeBytes switch
    {
        1 => (sbyte)value,
        2 => (short)value,
        _ => (int)value,
    };
}
