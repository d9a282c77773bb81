using System.Collections.Immutable;

namespace Kptr.Objects;

/// <summary>All references at one moment. Immutable.</summary>
/// <param name="TimeNs">When, in nanoseconds of the kernel's clock.</param>
/// <param name="Entries">The references, ordered by object and id.</param>
public sealed record LedgerSnapshot(long TimeNs, ImmutableArray<LedgerEntry> Entries)
{
    /// <summary>
    /// The references that map memory without a key keeps by the rules of the kernel, and gives back with the map; none
    /// where maps empty values at once.
    /// </summary>
    public IEnumerable<LedgerEntry> Recycled => Entries.Where(e => e.Holder.IsRecycled);

    /// <summary>What came and what went between an earlier snapshot and this one. A move shows as both.</summary>
    public LedgerDiff Since(LedgerSnapshot earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        var before = Tally(earlier);
        var after = Tally(this);
        return new(
            [.. Entries.Where(e => Take(before, e))],
            [.. earlier.Entries.Where(e => Take(after, e))]);
    }

    /// <summary>
    /// Bytes of all objects that somebody other than the modelled kernel pins; <see cref="long.MaxValue"/> for more.
    /// </summary>
    public long PinnedBytes() => Entries.Where(e => !e.Holder.IsKernel).DistinctBy(e => e.Address)
        .Aggregate(0L, (sum, e) => AddSaturating(sum, e.SizeBytes));

    /// <summary>Bytes pinned, by kernel type. An object counts once however many references it has.</summary>
    public ImmutableSortedDictionary<string, long> PinnedBytesByType() => PinnedBytes(e => e.TypeName);

    /// <summary>Bytes pinned, by map; objects that no map holds are left out.</summary>
    public ImmutableSortedDictionary<string, long> PinnedBytesByMap() => PinnedBytes(e => MapOf(e.Holder));

    /// <summary>Bytes pinned, by the place where the references were taken.</summary>
    public ImmutableSortedDictionary<string, long> PinnedBytesBySite() =>
        PinnedBytes(e => e.Holder.IsKernel ? null : e.AcquiredAt.ToString());

    /// <summary>Text, one paragraph per object; what maps recycle stands apart, at the end.</summary>
    public override string ToString() => LedgerFormat.Text(this);

    /// <summary>A JSON array with one object per reference.</summary>
    public string ToJson() => LedgerFormat.Json(this);

    /// <summary>The ownership graph for Mermaid.</summary>
    /// <param name="withKernel">Also what the modelled kernel itself holds: most references, and rarely the question.
    /// </param>
    public string ToMermaid(bool withKernel = false) => LedgerFormat.Mermaid(this, withKernel);

    /// <summary>The ownership graph for Graphviz.</summary>
    /// <param name="withKernel">Also what the modelled kernel itself holds.</param>
    public string ToDot(bool withKernel = false) => LedgerFormat.Dot(this, withKernel);

    /// <summary>
    /// A page of HTML, complete in one file: the graph of what users hold, a table of all references to sort and
    /// filter, since when each is held, what that costs.
    /// </summary>
    /// <param name="title">What the page is called; any text.</param>
    public string ToHtml(string title = "Who pins what")
    {
        ArgumentNullException.ThrowIfNull(title);
        return LedgerFormat.Html(this, title);
    }

    private static string? MapOf(Holder holder) => holder switch
    {
        MapHolder m => m.Map,
        UnlinkedHolder u => u.Map,
        RecycledHolder r => r.Map,
        CollectionHolder c => MapOf(c.In),
        _ => null,
    };

    private static Dictionary<(long, ulong, Holder), int> Tally(LedgerSnapshot snapshot) =>
        snapshot.Entries.GroupBy(e => (e.RefId, e.Address, e.Holder)).ToDictionary(g => g.Key, g => g.Count());

    // True when the tally has no such entry left to match this one.
    private static bool Take(Dictionary<(long, ulong, Holder), int> tally, LedgerEntry entry)
    {
        var key = (entry.RefId, entry.Address, entry.Holder);
        if (tally.GetValueOrDefault(key) == 0)
        {
            return true;
        }

        tally[key]--;
        return false;
    }

    /// <summary>Bytes pinned, by group; null is no group.</summary>
    internal ImmutableSortedDictionary<string, long> PinnedBytes(Func<LedgerEntry, string?> group) => Entries
        .Select(e => (Group: group(e), Entry: e))
        .Where(p => p.Group is not null)
        .DistinctBy(p => (p.Group, p.Entry.Address))
        .GroupBy(p => p.Group!, p => p.Entry.SizeBytes)
        .ToImmutableSortedDictionary(g => g.Key, g => g.Aggregate(0L, AddSaturating), StringComparer.Ordinal);

    // A snapshot is data that anybody can make, and an object of a user's own says any size.
    private static long AddSaturating(long sum, long bytes) =>
        (long)Int128.Clamp((Int128)sum + bytes, long.MinValue, long.MaxValue);
}

/// <summary>The difference between two snapshots.</summary>
/// <param name="Added">References only in the later one.</param>
/// <param name="Removed">References only in the earlier one.</param>
public sealed record LedgerDiff(ImmutableArray<LedgerEntry> Added, ImmutableArray<LedgerEntry> Removed)
{
    /// <summary>Whether nothing changed.</summary>
    public bool IsEmpty => Added.IsEmpty && Removed.IsEmpty;

    /// <summary>A line for every reference, with <c>+</c> or <c>-</c>.</summary>
    public override string ToString() => string.Join(
        Environment.NewLine, Added.Select(e => $"+ {e.Object}: {e}").Concat(Removed.Select(e => $"- {e.Object}: {e}")));
}
