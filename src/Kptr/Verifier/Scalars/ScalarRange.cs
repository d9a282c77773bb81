namespace Kptr.Verifier.Scalars;

/// <summary>
/// What is known of a 64-bit number: its bits, and its range read as u64, s64 and, low half only, as u32 and s32.
/// </summary>
/// <remarks>
/// <para>Mutable and meant to live inside a register's state; nothing here allocates. A number is contained when it is
/// in <see cref="Bits"/> and in all four ranges. Operations change the fields and end with <see cref="Sync"/>, which
/// lets each view learn from the others without losing a contained number.</para>
/// <para>The precision is that of Linux 6.12 on purpose, where it is better <em>and</em> where it is worse: verdicts
/// depend on it. Kernel: <c>var_off</c>, <c>umin_value</c>... of <c>struct bpf_reg_state</c>.</para>
/// </remarks>
internal partial struct ScalarRange : IEquatable<ScalarRange>
{
    /// <summary>Known bits.</summary>
    public Tnum Bits;

    /// <summary>Smallest value, read as s64.</summary>
    public long SMin;

    /// <summary>Largest value, read as s64.</summary>
    public long SMax;

    /// <summary>Smallest value, read as u64.</summary>
    public ulong UMin;

    /// <summary>Largest value, read as u64.</summary>
    public ulong UMax;

    /// <summary>Smallest low half, read as s32.</summary>
    public int S32Min;

    /// <summary>Largest low half, read as s32.</summary>
    public int S32Max;

    /// <summary>Smallest low half, read as u32.</summary>
    public uint U32Min;

    /// <summary>Largest low half, read as u32.</summary>
    public uint U32Max;

    // Arcs that the four ranges do not tell (ScalarRange.Arcs.cs); a span is zero where none is kept.
    private ulong _wideFirst;
    private ulong _wideSpan;
    private uint _lowFirst;
    private uint _lowSpan;

    /// <summary>Any number.</summary>
    public static ScalarRange Unknown
    {
        get
        {
            var r = default(ScalarRange);
            r.SetUnknown();
            return r;
        }
    }

    /// <summary>Whether exactly one number is contained, by its bits.</summary>
    public readonly bool IsConst => Bits.IsConst;

    /// <summary>The number, where <see cref="IsConst"/>.</summary>
    public readonly ulong ConstValue => Bits.Value;

    /// <summary>Bits needed for the largest value; 64 where nothing is known.</summary>
    public readonly int WidthBits => 64 - System.Numerics.BitOperations.LeadingZeroCount(UMax);

    /// <summary>Exactly this number.</summary>
    public static ScalarRange Const(ulong value)
    {
        var r = default(ScalarRange);
        r.SetConst(value);
        return r;
    }

    /// <summary>Whether the number, or with <paramref name="is32"/> its low half, is known.</summary>
    public readonly bool IsConstIn(bool is32) => is32 ? Bits.IsSubregConst : Bits.IsConst;

    /// <summary>The known number or its known low half, zero-extended.</summary>
    public readonly ulong ConstValueIn(bool is32) => is32 ? (uint)Bits.Value : Bits.Value;

    /// <summary>Whether the number is exactly this.</summary>
    public readonly bool IsConstEqual(ulong value) => Bits.IsConst && Bits.Value == value;

    /// <summary>Whether this number is contained.</summary>
    public readonly bool Contains(ulong value) =>
        Bits.Contains(value) && value >= UMin && value <= UMax && (long)value >= SMin && (long)value <= SMax
        && (uint)value >= U32Min && (uint)value <= U32Max && (int)value >= S32Min && (int)value <= S32Max
        && (!KeepsArc || ArcsContain(value));

    /// <summary>Whether every number <paramref name="inner"/> contains is contained here, view by view.</summary>
    /// <remarks>Law: reflexive and transitive; kernel: <c>range_within</c> and <c>tnum_in</c>.</remarks>
    public readonly bool IsSupersetOf(in ScalarRange inner) =>
        UMin <= inner.UMin && UMax >= inner.UMax && SMin <= inner.SMin && SMax >= inner.SMax
        && U32Min <= inner.U32Min && U32Max >= inner.U32Max && S32Min <= inner.S32Min && S32Max >= inner.S32Max
        && Bits.Contains(inner.Bits) && (!KeepsArc || ArcsContain(inner));

    /// <summary>Forgets everything.</summary>
    public void SetUnknown()
    {
        Bits = Tnum.Unknown;
        SetUnbounded64();
        SetUnbounded32();
    }

    /// <summary>Forgets the ranges and keeps the bits.</summary>
    public void SetUnbounded()
    {
        SetUnbounded64();
        SetUnbounded32();
    }

    /// <summary>Becomes exactly this number.</summary>
    public void SetConst(ulong value)
    {
        Bits = Tnum.Const(value);
        SMin = SMax = (long)value;
        UMin = UMax = value;
        S32Min = S32Max = (int)value;
        U32Min = U32Max = (uint)value;
        ForgetArcs();
    }

    /// <summary>Fixes the low half and leaves the 64-bit ranges alone.</summary>
    /// <remarks>Kernel: <c>__mark_reg32_known</c>.</remarks>
    public void SetConst32(uint value)
    {
        Bits = Bits.WithSubreg(Tnum.Const(value));
        S32Min = S32Max = (int)value;
        U32Min = U32Max = value;
        _lowFirst = _lowSpan = 0;
    }

    /// <summary>Keeps only numbers in this range, read as s32 extended to s64.</summary>
    /// <remarks>Kernel: <c>__mark_reg_s32_range</c>.</remarks>
    public void ClampS32(int min, int max)
    {
        S32Min = Math.Max(S32Min, min);
        S32Max = Math.Min(S32Max, max);
        SMin = Math.Max(SMin, min);
        SMax = Math.Min(SMax, max);
        Sync();
    }

    public readonly bool Equals(ScalarRange other) => Equals(in other);

    public readonly bool Equals(in ScalarRange other) =>
        Bits == other.Bits && SMin == other.SMin && SMax == other.SMax && UMin == other.UMin && UMax == other.UMax
        && S32Min == other.S32Min && S32Max == other.S32Max && U32Min == other.U32Min && U32Max == other.U32Max
        && HasArcsOf(other);

    public override readonly bool Equals(object? obj) => obj is ScalarRange other && Equals(other);

    public override readonly int GetHashCode() => HashCode.Combine(Bits, SMin, SMax, UMin, UMax, S32Min, U32Max);

    public override readonly string ToString() =>
        $"u64=[{UMin}, {UMax}] s64=[{SMin}, {SMax}] u32=[{U32Min}, {U32Max}] s32=[{S32Min}, {S32Max}] "
        + $"bits={Bits}" + (KeepsArc ? $" arcs={Wide}, {Low}" : "");

    internal void SetUnbounded64()
    {
        SMin = long.MinValue;
        SMax = long.MaxValue;
        UMin = 0;
        UMax = ulong.MaxValue;
        _wideFirst = _wideSpan = 0;
    }

    internal void SetUnbounded32()
    {
        S32Min = int.MinValue;
        S32Max = int.MaxValue;
        U32Min = 0;
        U32Max = uint.MaxValue;
        _lowFirst = _lowSpan = 0;
    }
}
