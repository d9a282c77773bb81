using System.Collections.Immutable;

namespace Kptr.Execution;

/// <summary>One function of a program: where it starts, and the slots that control reaches from there.</summary>
/// <param name="Entry">The slot of its first instruction.</param>
/// <param name="Slots">All its slots, ascending; of two-slot loads the first half.</param>
internal sealed record FuncLayout(int Entry, ImmutableArray<int> Slots);
