namespace Kptr.Execution;

/// <summary>What a register's value is measured from.</summary>
internal enum FactBase
{
    /// <summary>Nothing: it is a number.</summary>
    Number,

    /// <summary>The frame pointer of the function.</summary>
    Frame,

    /// <summary>The start of the run's context.</summary>
    Context,
}

/// <summary>What is known of a register before an instruction: in which bounds its value lies.</summary>
/// <param name="Base">What it is measured from.</param>
/// <param name="Low">The least it may be: of a number without a sign, of a distance with one.</param>
/// <param name="High">The most.</param>
/// <param name="Copy">Registers with the same number hold the same value; 0 for none.</param>
/// <param name="IsGuess">A number that was made from the frame pointer: where it is likely to point, and no
/// fact.</param>
internal readonly record struct RegFact(FactBase Base, ulong Low, ulong High, int Copy = 0, bool IsGuess = false)
{
    /// <summary>Distances beyond this are not followed, so that no sum of two wraps.</summary>
    internal const long DistanceMax = 1 << 30;

    /// <summary>Any value at all.</summary>
    internal static RegFact Unknown { get; } = new(FactBase.Number, 0, ulong.MaxValue);

    /// <summary>Any value, perhaps an address in the frame.</summary>
    internal static RegFact Guess { get; } = Unknown with { IsGuess = true };

    /// <summary>The distance is least.</summary>
    internal long Near => (long)Low;

    /// <summary>The distance at most.</summary>
    internal long Far => (long)High;

    /// <summary>Whether one value is left.</summary>
    internal bool IsSingle => Low == High;

    /// <summary>Whether it is, or is likely to be, an address in the frame.</summary>
    internal bool IsFrame => Base == FactBase.Frame || IsGuess;

    internal static RegFact Of(ulong value) => new(FactBase.Number, value, value);

    internal static RegFact Within(ulong low, ulong high) => new(FactBase.Number, low, high);

    /// <summary>A distance; unknown where it is too far.</summary>
    internal static RegFact At(FactBase from, long near, long far) =>
        near >= -DistanceMax && far <= DistanceMax ? new(from, (ulong)near, (ulong)far)
        : from == FactBase.Frame ? Guess : Unknown;

    /// <summary>What holds of a value of which one or the other does.</summary>
    /// <remarks>Both imply the result.</remarks>
    internal static RegFact Join(RegFact a, RegFact b)
    {
        var copy = a.Copy == b.Copy ? a.Copy : 0;
        if (a.Base != b.Base)
        {
            return Unknown with { Copy = copy, IsGuess = a.IsFrame && b.IsFrame };
        }

        return a.Base == FactBase.Number
            ? new(a.Base, Math.Min(a.Low, b.Low), Math.Max(a.High, b.High), copy, a.IsGuess && b.IsGuess)
            : new(a.Base, (ulong)Math.Min(a.Near, b.Near), (ulong)Math.Max(a.Far, b.Far), copy);
    }

    /// <summary>The same with the bounds that still move given up, so that loops come to an end.</summary>
    internal static RegFact Widen(RegFact before, RegFact now)
    {
        if (before.Base != now.Base || (before.Low == now.Low && before.High == now.High))
        {
            return now;
        }

        if (now.Base != FactBase.Number)
        {
            return (now.Base == FactBase.Frame ? Guess : Unknown) with { Copy = now.Copy };
        }

        var low = now.Low < before.Low ? 0 : now.Low;
        return now with { Low = low, High = now.High > before.High ? ulong.MaxValue : now.High };
    }
}
