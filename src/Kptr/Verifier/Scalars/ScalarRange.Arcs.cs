namespace Kptr.Verifier.Scalars;

/// <content>The ranges as arcs, for kernels that keep those.</content>
/// <remarks>
/// The four ranges tell what an arc is, but for one that goes on past zero and past the highest signed number as well:
/// it is kept beside them. Kernels without arcs never keep one.
/// </remarks>
internal partial struct ScalarRange
{
    /// <summary>The range of the number as an arc.</summary>
    internal Arc<ulong> Wide
    {
        readonly get => _wideSpan != 0 ? new(_wideFirst, _wideSpan)
            : UMin != 0 || UMax != ulong.MaxValue ? Arc<ulong>.Unsigned(UMin, UMax)
            : Arc<ulong>.Signed((ulong)SMin, (ulong)SMax);
        set
        {
            (UMin, UMax) = (value.UMin, value.UMax);
            (SMin, SMax) = ((long)value.SMin, (long)value.SMax);
            (_wideFirst, _wideSpan) = value.IsEmpty || (value.PassesZero && value.PassesSign)
                ? (value.First, value.Span) : (0, 0);
        }
    }

    /// <summary>The range of the low half as an arc.</summary>
    internal Arc<uint> Low
    {
        readonly get => _lowSpan != 0 ? new(_lowFirst, _lowSpan)
            : U32Min != 0 || U32Max != uint.MaxValue ? Arc<uint>.Unsigned(U32Min, U32Max)
            : Arc<uint>.Signed((uint)S32Min, (uint)S32Max);
        set
        {
            (U32Min, U32Max) = (value.UMin, value.UMax);
            (S32Min, S32Max) = ((int)value.SMin, (int)value.SMax);
            (_lowFirst, _lowSpan) = value.IsEmpty || (value.PassesZero && value.PassesSign)
                ? (value.First, value.Span) : (0, 0);
        }
    }

    /// <summary>Whether an arc is kept that the four ranges do not tell.</summary>
    internal readonly bool KeepsArc => (_wideSpan | _lowSpan) != 0;

    /// <summary>Takes bits and 64-bit ranges of another.</summary>
    internal void SetWide(in ScalarRange other)
    {
        Bits = other.Bits;
        (SMin, SMax, UMin, UMax) = (other.SMin, other.SMax, other.UMin, other.UMax);
        (_wideFirst, _wideSpan) = (other._wideFirst, other._wideSpan);
    }

    private readonly bool IsEmptyArc => (_wideSpan == ulong.MaxValue) | (_lowSpan == uint.MaxValue);

    private readonly bool ArcsContain(ulong value) => Wide.Contains(value) && Low.Contains((uint)value);

    private readonly bool ArcsContain(in ScalarRange inner) => Wide.Contains(inner.Wide) && Low.Contains(inner.Low);

    private readonly bool HasArcsOf(in ScalarRange other) =>
        _wideFirst == other._wideFirst && _wideSpan == other._wideSpan
        && _lowFirst == other._lowFirst && _lowSpan == other._lowSpan;

    // The four ranges stay: they contain every number of an arc that is kept beside them.
    private void ForgetArcs()
    {
        _wideFirst = _wideSpan = 0;
        _lowFirst = _lowSpan = 0;
    }
}
