namespace Kptr.Maps;

/// <summary>
/// Where the value slots of a map are. The parts add up to <see cref="Capacity"/>, whatever happened before.
/// </summary>
/// <param name="Capacity">All slots.</param>
/// <param name="Live">Slots a key leads to.</param>
/// <param name="Free">Slots on free lists.</param>
/// <param name="Spare">Per-CPU spare elements of preallocated hashes.</param>
/// <param name="Deferred">Slots that wait for a grace period.</param>
public sealed record MapCensus(long Capacity, long Live, long Free, long Spare = 0, long Deferred = 0)
{
    /// <summary>Whether no slot is lost or counted twice.</summary>
    public bool IsComplete => Live + Free + Spare + Deferred == Capacity;
}
