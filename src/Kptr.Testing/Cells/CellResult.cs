using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Testing.Cells;

/// <summary>What came of one cell.</summary>
/// <param name="Answer">What the operation answered.</param>
/// <param name="GivenBack">References that were given back; null where no map was made.</param>
/// <param name="Expected">What was expected, where something is wrong.</param>
/// <param name="Wrong">What was found instead; null for nothing.</param>
/// <param name="Log">The steps.</param>
internal sealed record CellResult(
    Errno Answer, int? GivenBack, string? Expected, string? Wrong, IReadOnlyList<string> Log);

/// <summary>Ends a cell where it differs from Linux.</summary>
[SuppressMessage("Design", "CA1032", Justification = "never leaves the package")]
[SuppressMessage("Design", "CA1064", Justification = "never leaves the package")]
internal sealed class CellBreach(string expected, string found) : Exception($"expected {expected}, found {found}")
{
    internal string Expected { get; } = expected;

    internal string Found { get; } = found;
}
