using System.Collections.Immutable;

namespace Kptr.Execution;

/// <summary>What compiled code of one program may leave out, since it was proven.</summary>
/// <param name="Live">By slot, whether its access is inside memory that lives as long as the run.</param>
/// <param name="RoundEnds">By slot, whether it is a count or a list of the run that bounds rounds through it.</param>
/// <param name="ContextBytes">How long the context of a run must be for <paramref name="Live"/> to hold.</param>
internal sealed record NeedlessChecks(ImmutableArray<bool> Live, ImmutableArray<bool> RoundEnds, ulong ContextBytes)
{
    internal bool IsLive(int slot) => Live[slot];

    internal bool IsRoundEnd(int slot) => RoundEnds[slot];

    /// <summary>Whether there is any such slot.</summary>
    internal bool HasRoundEnds { get; } = RoundEnds.Contains(true);
}
