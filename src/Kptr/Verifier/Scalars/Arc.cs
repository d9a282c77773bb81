using System.Numerics;

namespace Kptr.Verifier.Scalars;

/// <summary>
/// Numbers in a row on the circle of all numbers of a width, where the largest is followed by zero: one range for both
/// readings, signed and unsigned.
/// </summary>
/// <param name="First">The first number.</param>
/// <param name="Span">How many follow it; the largest number where the arc is the whole circle.</param>
/// <typeparam name="T">An unsigned number of the width.</typeparam>
/// <remarks>
/// Law of every operation: no number that the operands allow is missing. Kernel: <c>struct cnum32</c>,
/// <c>struct cnum64</c> (include/linux/cnum.h, 7.2).
/// </remarks>
internal readonly record struct Arc<T>(T First, T Span)
    where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
{
    /// <summary>Every number.</summary>
    public static Arc<T> Any => new(T.Zero, T.MaxValue);

    /// <summary>No number. Written as a whole circle that starts where none starts otherwise.</summary>
    public static Arc<T> None => new(T.MaxValue, T.MaxValue);

    /// <summary>Whether there is no number.</summary>
    public bool IsEmpty => First == T.MaxValue && Span == T.MaxValue;

    /// <summary>Whether there is one number.</summary>
    public bool IsConst => Span == T.Zero;

    /// <summary>The last number.</summary>
    public T Last => First + Span;

    /// <summary>Smallest number, read unsigned; zero where the arc goes on past the largest.</summary>
    public T UMin => PassesZero ? T.Zero : First;

    /// <summary>Largest number, read unsigned.</summary>
    public T UMax => PassesZero ? T.MaxValue : Last;

    /// <summary>The bits of the smallest number, read signed; the lowest where the arc goes on past the
    /// highest.</summary>
    public T SMin => PassesSign ? Lowest : IsLess(Last, First) ? Last : First;

    /// <summary>The bits of the largest number, read signed.</summary>
    public T SMax => PassesSign ? Highest : IsLess(Last, First) ? First : Last;

    /// <summary>Whether the largest number and zero are next to each other in it.</summary>
    public bool PassesZero => Span > T.MaxValue - First;

    /// <summary>Whether the highest and the lowest signed number are in it.</summary>
    public bool PassesSign => Contains(Highest) && Contains(Lowest);

    private static T Highest => T.MaxValue >> 1;

    private static T Lowest => T.MaxValue ^ Highest;

    /// <summary>From a smallest to a largest number, read unsigned.</summary>
    public static Arc<T> Unsigned(T min, T max) => min == T.MaxValue ? new(min, max - min) : Normal(min, max - min);

    /// <summary>From the bits of a smallest to those of a largest number, read signed.</summary>
    public static Arc<T> Signed(T min, T max) => Normal(min, max - min);

    /// <summary>Every number but one.</summary>
    public static Arc<T> Except(T number) => new(number + T.One, T.MaxValue - T.One);

    /// <summary>The numbers that known bits allow, or more.</summary>
    /// <param name="value">The bits that are one.</param>
    /// <param name="mask">The bits that are unknown.</param>
    public static Arc<T> OfBits(T value, T mask) => ((value | mask) & Lowest) == T.Zero
        ? Unsigned(value, value | mask)
        : Signed(value | (mask & Lowest), value | (mask & Highest));

    /// <summary>The sums of two numbers.</summary>
    public static Arc<T> operator +(Arc<T> a, Arc<T> b) =>
        a.IsEmpty || b.IsEmpty ? None
        : a.Span > T.MaxValue - b.Span ? Any
        : Normal(a.First + b.First, a.Span + b.Span);

    /// <summary>The numbers with their sign turned.</summary>
    public static Arc<T> operator -(Arc<T> a) => a.IsEmpty ? None : Normal(T.Zero - a.Last, a.Span);

    /// <summary>The differences of two numbers.</summary>
    public static Arc<T> operator -(Arc<T> a, Arc<T> b) => a + -b;

    /// <summary>Whether the number is in it.</summary>
    public bool Contains(T number) => !IsEmpty && number - First <= Span;

    /// <summary>Whether all numbers of another arc are in it.</summary>
    public bool Contains(Arc<T> other)
    {
        if (other.IsEmpty || IsEmpty)
        {
            return other.IsEmpty;
        }

        var start = other.First - First;
        return Span == T.MaxValue || (other.Span <= T.MaxValue - start && start + other.Span <= Span);
    }

    /// <summary>
    /// The numbers in both. Where those are two pieces, which no arc is, the operand with fewer numbers.
    /// </summary>
    public Arc<T> Intersect(Arc<T> other)
    {
        if (IsEmpty || other.IsEmpty)
        {
            return None;
        }

        var (a, b) = First <= other.First ? (this, other) : (other, this);
        var start = b.First - a.First;
        var reachesA = b.Span > T.MaxValue - start;
        if (start <= a.Span)
        {
            return !reachesA ? new(b.First, T.Min(a.Span - start, b.Span)) : a.Span <= b.Span ? a : b;
        }

        return reachesA ? new(a.First, T.Min(a.Span, start + b.Span)) : None;
    }

    private static Arc<T> Normal(T first, T span) => span == T.MaxValue ? Any : new(first, span);

    private static bool IsLess(T a, T b) => (a ^ Lowest) < (b ^ Lowest);
}

/// <summary>What a number and its low half tell of each other.</summary>
internal static class ArcHalves
{
    /// <summary>The low halves of the numbers of an arc. Kernel: <c>cnum32_from_cnum64</c>.</summary>
    public static Arc<TLow> LowHalf<T, TLow>(this Arc<T> wide)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
        where TLow : unmanaged, IBinaryInteger<TLow>, IUnsignedNumber<TLow>, IMinMaxValue<TLow>
    {
        if (wide.IsEmpty)
        {
            return Arc<TLow>.None;
        }

        return wide.Span >= T.CreateTruncating(TLow.MaxValue)
            ? Arc<TLow>.Any
            : new(TLow.CreateTruncating(wide.First), TLow.CreateTruncating(wide.Span));
    }

    /// <summary>
    /// Cuts both ends of an arc back to where the low half is in another arc, which recurs once a turn of the low half.
    /// </summary>
    /// <remarks>Kernel: <c>cnum64_cnum32_intersect</c>.</remarks>
    public static Arc<T> KeepLowHalf<T, TLow>(this Arc<T> wide, Arc<TLow> low)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>, IMinMaxValue<T>
        where TLow : unmanaged, IBinaryInteger<TLow>, IUnsignedNumber<TLow>, IMinMaxValue<TLow>
    {
        if (wide.IsEmpty || low.IsEmpty)
        {
            return Arc<T>.None;
        }

        // Places are counted from the first number: of the low arc's ends, and of the last number in its own turn.
        var start = low.First - TLow.CreateTruncating(wide.First);
        var end = start + low.Span;
        var last = TLow.CreateTruncating(wide.Span);
        if (low.Span > TLow.MaxValue - start)
        {
            return last > end && last < start
                ? wide with { Span = wide.Span - T.CreateTruncating(last - end) }
                : wide;
        }

        var skipped = T.CreateTruncating(start);
        if (wide.Span < skipped)
        {
            return Arc<T>.None;
        }

        var span = wide.Span - skipped;
        var cut = last >= end ? T.CreateTruncating(last - end)
            : last < start ? T.CreateTruncating(last) + T.CreateTruncating(TLow.MaxValue - end) + T.One
            : T.Zero;
        return span < cut ? Arc<T>.None : new(wide.First + skipped, span - cut);
    }
}
