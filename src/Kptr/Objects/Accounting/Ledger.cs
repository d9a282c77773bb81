using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The record of every reference: what, who, where from, since when.</summary>
/// <remarks>
/// Safe for any number of threads, and may be asked at any moment, from handlers, destructors and other threads than
/// those that run programs. Maps and objects are asked who they are with no lock held. While references move, an
/// answer may show one at neither or at both of its places; after a quiesce it is exact. At
/// <see cref="LedgerLevel.Counts"/> it does nothing until asked, and then compares every object's count with the slots
/// of all maps and the kernel's own tables.
/// </remarks>
public sealed partial class Ledger
{
    // References that nobody accounts for are listed one by one, but not without bound: a count may be any number.
    private const int UnknownEntriesMax = 10_000;
    private readonly KernelCore _core;

    internal Ledger(KernelCore core, LedgerLevel level)
    {
        _core = core;
        Level = level;
        if (level > LedgerLevel.Counts || core.LooksFor(MisuseChecks.References))
        {
            Follow(1);
        }
    }

    /// <summary>How closely references are followed; fixed when the kernel is made.</summary>
    public LedgerLevel Level { get; }

    /// <summary>Says who holds every reference on an object.</summary>
    public PinReport WhoPins(KernelObject obj)
    {
        ArgumentNullException.ThrowIfNull(obj);
        LockOrder.CallingOut("the ledger's questions");
        using var reader = _core.Rcu.ReadLock();
        if (obj.IsFreed)
        {
            return new(obj.Describe(), 0, []);
        }

        var seen = ObjectView.Of(obj);
        return new(seen.Text, seen.Count, [.. EntriesOf(seen, CensusAtCounts(), WorkOnDemand())]);
    }

    /// <summary>Every reference on every live object. Judge it only after a quiesce.</summary>
    public LedgerSnapshot Snapshot()
    {
        LockOrder.CallingOut("the ledger's questions");
        using var reader = _core.Rcu.ReadLock();
        var (census, work) = (CensusAtCounts(), WorkOnDemand());
        var objects = _core.Heap.LiveObjects().OrderBy(o => o.Address).ToList();
        return new(_core.NowNs, [.. objects.SelectMany(o => EntriesOf(ObjectView.Of(o), census, work))]);
    }

    /// <summary>A page of HTML of all references now; see <see cref="LedgerSnapshot.ToHtml"/>.</summary>
    /// <param name="title">What the page is called; any text.</param>
    public string ToHtml(string title = "Who pins what") => Snapshot().ToHtml(title);

    /// <summary>Bytes of all objects that somebody other than the modelled kernel pins.</summary>
    public long PinnedBytes() => Snapshot().PinnedBytes();

    /// <summary>
    /// The references that nobody can be trusted to give back: held by ended programs, by C#, by somebody whom no
    /// record names, by map memory that should be empty, or by memory of a map that is gone.
    /// </summary>
    /// <remarks>
    /// A reference in a live map element is no leak. Nor is one in map memory that no key leads to, where the kernel
    /// leaves it there by its rules (<see cref="RecycledHolder"/>), until the map is gone.
    /// </remarks>
    public ImmutableArray<LedgerEntry> FindLeaks() => [.. Snapshot().Entries.Where(e => !e.Holder.IsSettled)];

    /// <summary>
    /// Throws unless <see cref="FindLeaks"/> is empty, no fault was reported, and no object is in more slots than it
    /// has references. Quiesce first.
    /// </summary>
    /// <remarks>
    /// On every destroy policy: what a delete left in recycled memory is listed in the exception's text,
    /// and is no reason to throw.
    /// </remarks>
    /// <exception cref="LedgerLeakException">References leak, or faults were reported.</exception>
    public void AssertNoLeaks()
    {
        var snapshot = Snapshot();
        var leaks = snapshot.Entries.Where(e => !e.Holder.IsSettled);
        Assert([.. leaks], [.. snapshot.Recycled], isRecycledAllowed: true);
    }

    /// <summary>What it follows.</summary>
    public override string ToString() => $"ledger at level {_core.Options.LedgerLevel}";

    /// <summary>
    /// Throws unless every reference but the modelled kernel's own was given back: those in live map elements too, and
    /// those in memory that maps recycle; and no fault was reported. Quiesce first.
    /// </summary>
    /// <remarks>
    /// Where the kernel recycles, a delete alone gives nothing back: take the reference out
    /// first, or dispose of the map.
    /// </remarks>
    /// <exception cref="LedgerLeakException">Somebody still holds one, or faults were reported.</exception>
    public void AssertAllReturned()
    {
        var users = Snapshot().Entries.Where(e => !e.Holder.IsKernel).ToLookup(e => e.Holder.IsRecycled);
        Assert([.. users[false]], [.. users[true]], isRecycledAllowed: false);
    }

    /// <summary>From now on this map's slots count.</summary>
    internal void AddSource(IReferenceSource source)
    {
        using (_lock.Enter())
        {
            _sources.Add(source);
        }
    }

    /// <summary>The map is gone, its slots are empty.</summary>
    internal void RemoveSource(IReferenceSource source)
    {
        using (_lock.Enter())
        {
            _sources.RemoveAll(s => ReferenceEquals(s, source));
        }
    }

    /// <summary>The maps of this kernel that are not freed.</summary>
    internal IReadOnlyList<IReferenceSource> Sources()
    {
        using (_lock.Enter())
        {
            return [.. _sources];
        }
    }

    private void Assert(ImmutableArray<LedgerEntry> leaks, ImmutableArray<LedgerEntry> recycled, bool isRecycledAllowed)
    {
        KernelFault[] faults = [.. _core.Faults, .. FindCopies()];
        if (leaks.Length > 0 || faults.Length > 0 || (recycled.Length > 0 && !isRecycledAllowed))
        {
            throw new LedgerLeakException(leaks, recycled, faults);
        }
    }

    private ILookup<ulong, HeldSlot>? CensusAtCounts() =>
        Level > LedgerLevel.Counts ? null : Census().ToLookup(s => s.ObjectAddress);

    private IEnumerable<HeldSlot> Census()
    {
        var inObjects = _core.Heap.LiveObjects().OfType<AllocatedObject>().SelectMany(o => FieldCensus.Of(
            _core, o.Record, o.Address, f => new ObjectHolder(o.Describe(), f.Name, true)));
        return Sources().SelectMany(s => s.HeldSlots()).Concat(inObjects);
    }

    // Of what waits to be freed there may be as much as there are objects: it is walked once, if at all.
    private Lazy<IReadOnlyDictionary<object, DeferredHolder>> WorkOnDemand() =>
        new(_core.Deferred.Waiting, LazyThreadSafetyMode.None);

    private List<LedgerEntry> EntriesOf(
        ObjectView seen, ILookup<ulong, HeldSlot>? census, Lazy<IReadOnlyDictionary<object, DeferredHolder>> waiting)
    {
        var obj = seen.Object;
        var entries = seen.Intrinsic.Select(seen.Entry).ToList();
        entries.AddRange(CopyRecords(obj).Select(r => Entry(seen, r)));
        if (seen.Count == 0 && waiting.Value.TryGetValue(obj, out var work))
        {
            entries.Add(seen.Entry(work));
        }

        entries.AddRange((census?[obj.Address] ?? []).Select(slot => seen.Entry(slot.Holder)));
        var unknown = Math.Min(seen.Count - entries.Count, UnknownEntriesMax);
        if (unknown > 0)
        {
            entries.AddRange(Enumerable.Repeat(seen.Entry(new UnknownHolder()), unknown));
        }

        return entries;
    }

    private LedgerEntry Entry(ObjectView seen, RecordCopy record)
    {
        var address = seen.Object.Address;
        return seen.Entry(Describe(record.Holder, record.HeldSince, address)) with
        {
            RefId = record.Id,
            AcquiredAt = record.AcquiredAt,
            HeldSince = record.HeldSince,
            AcquiredNs = record.AcquiredNs,
            History = [.. record.History.Select(h => $"{Describe(h.Holder, h.Since, address)}, since {h.Since}")],
        };
    }

    private Holder Describe(HolderKey key, RefSite since, ulong objAddress)
    {
        switch (key.Kind)
        {
            case HolderKind.Run:
                var run = (IProgramRun)key.Who!;
                return new ProgramHolder(run.ProgName, run.RunId, run.Locate(objAddress), run.IsActive);
            case HolderKind.Slot:
                return DescribeSlot(key.Where);
            case HolderKind.Collection:
                return new CollectionHolder((string)key.Who!, DescribeSlot(key.Where));
            default:
                return new CSharpHolder(since);
        }
    }

    private Holder DescribeSlot(ulong slot)
    {
        if (!_core.Heap.TryFindRegion(slot, 8, out var region))
        {
            return new UnlinkedHolder("(memory outside the kernel)", $"{slot:x}");
        }

        if (region.Slab.Owner is { } source)
        {
            return source.DescribeSlot(slot);
        }

        var name = region.Object?.Describe() ?? $"{region.Slab.Name}@{region.Address:x} (freed)";
        var field = (region.Object as AllocatedObject)?.Record.FindAt((int)(slot - region.Address))?.Name
            ?? $"+{slot - region.Address}";
        return new ObjectHolder(name, field, region.State == HeapState.Live);
    }
}
