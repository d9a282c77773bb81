using System.Collections.Immutable;

namespace Kptr.Objects;

/// <summary>One reference at one moment.</summary>
/// <param name="RefId">Unique in its kernel; 0 for references that are only counted.</param>
/// <param name="TypeName">The object's kernel type.</param>
/// <param name="Object">The object as text.</param>
/// <param name="Address">The object's address.</param>
/// <param name="Holder">Who has it.</param>
/// <param name="AcquiredAt">Where it was taken.</param>
/// <param name="HeldSince">Where the present holder got it.</param>
/// <param name="AcquiredNs">When it was taken, in nanoseconds of the kernel's clock.</param>
/// <param name="SizeBytes">Bytes that the object occupies.</param>
public sealed record LedgerEntry(
    long RefId, string TypeName, string Object, ulong Address, Holder Holder, RefSite AcquiredAt, RefSite HeldSince,
    long AcquiredNs, long SizeBytes)
{
    /// <summary>Where it was before, oldest first; filled at <see cref="LedgerLevel.Full"/>.</summary>
    public ImmutableArray<string> History { get; init; } = [];

    /// <summary>Holder, and since where.</summary>
    public override string ToString() =>
        $"{Holder}{(HeldSince.IsKnown && Holder is not CSharpHolder ? $", since {HeldSince}" : "")}"
        + (AcquiredAt.IsKnown && AcquiredAt != HeldSince ? $", acquired at {AcquiredAt}" : "");
}

/// <summary>The answer to "who pins this object": its count, and a line for every reference.</summary>
/// <param name="Object">The object as text.</param>
/// <param name="Count">Its count at that moment.</param>
/// <param name="Entries">
/// The holders; as many as the count unless something is wrong. At zero, the deferred work that will free the object.
/// </param>
public sealed record PinReport(string Object, int Count, ImmutableArray<LedgerEntry> Entries)
{
    /// <summary>The entries that are not the modelled kernel's own.</summary>
    public IEnumerable<LedgerEntry> Users => Entries.Where(e => !e.Holder.IsKernel);

    /// <summary>A line for the object and one for every holder.</summary>
    public override string ToString() =>
        string.Join(Environment.NewLine,
            [$"{Object}: {Count} reference{(Count == 1 ? "" : "s")}", .. Entries.Select(e => $"  {e}")]);
}
