namespace Kptr.Objects;

/// <summary>The ledger's line on one reference. Changed only under the ledger's lock.</summary>
internal sealed class RefRecord
{
    internal RefRecord(long id, KernelObject obj, HolderKey holder, RefSite acquiredAt, long timeNs)
    {
        Id = id;
        Object = obj;
        Holder = holder;
        AcquiredAt = acquiredAt;
        HeldSince = acquiredAt;
        AcquiredNs = timeNs;
    }

    internal long Id { get; }

    internal KernelObject Object { get; }

    internal HolderKey Holder { get; private set; }

    /// <summary>Where the reference was first taken.</summary>
    internal RefSite AcquiredAt { get; }

    /// <summary>Where the present holder got it.</summary>
    internal RefSite HeldSince { get; private set; }

    internal long AcquiredNs { get; }

    /// <summary>Index in the per-object list, for removal in O(1).</summary>
    internal int Index { get; set; } = -1;

    /// <summary>The C# scope it must be gone from when that scope ends, or null.</summary>
    internal ProgramScope? Scope { get; set; }

    /// <summary>Earlier holders, oldest first; kept at <see cref="LedgerLevel.Full"/> only.</summary>
    internal List<(HolderKey Holder, RefSite Since)>? History { get; private set; }

    /// <summary>What it says now, to be read after the lock is left.</summary>
    internal RecordCopy Copy() =>
        new(Id, Holder, AcquiredAt, HeldSince, AcquiredNs, History is null ? [] : [.. History]);

    internal void MoveTo(HolderKey holder, RefSite site, bool keepHistory)
    {
        if (keepHistory)
        {
            (History ??= []).Add((Holder, HeldSince));
        }

        Holder = holder;
        HeldSince = site;
    }
}

/// <summary>A <see cref="RefRecord"/> at one moment.</summary>
internal readonly record struct RecordCopy(
    long Id, HolderKey Holder, RefSite AcquiredAt, RefSite HeldSince, long AcquiredNs,
    (HolderKey Holder, RefSite Since)[] History);
