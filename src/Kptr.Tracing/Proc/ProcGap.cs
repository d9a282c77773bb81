namespace Kptr.Tracing;

/// <summary>Something of a machine that could not be read, and is missing from its snapshot.</summary>
/// <param name="What">What is missing, and why.</param>
/// <param name="Count">How often.</param>
/// <param name="First">The first file that it is missing from.</param>
public sealed record ProcGap(string What, int Count, string First)
{
    /// <summary>All of it.</summary>
    public override string ToString() => $"{What}: {Count}, first {First}";
}
