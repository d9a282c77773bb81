using Kptr.Diagnostics;

namespace Kptr.Objects;

// The following of single references. Every move of a followed reference happens under _lock together with the exchange
// that it records, so that no record is ever looked for before it is written. Maps and programs come here with locks of
// their own, so nothing at all is called out under _lock: time, sites and complaints are had before it or after it.
public sealed partial class Ledger
{
    private readonly RankedLock _lock = new(LockRank.Ledger);
    private readonly RankedLock _followLock = new(LockRank.Following);
    private readonly List<IReferenceSource> _sources = [];
    private readonly Dictionary<ulong, List<RefRecord>> _byObject = [];
    private readonly Dictionary<(ulong Slot, ulong Object), Stack<RefRecord>> _bySlot = [];
    private long _nextId;
    private int _isFollowing;

    /// <summary>Whether references are followed one by one now: above Counts, or inside a C# scope.</summary>
    /// <remarks>Fast paths read the same from the object's chunk: <see cref="HeapChunk.IsFollowing"/>.</remarks>
    internal bool IsFollowing => Volatile.Read(ref _isFollowing) != 0;

    /// <summary>A C# scope opened: its references must be told apart even at Counts.</summary>
    internal void ScopeEntered() => Follow(1);

    internal void ScopeLeft() => Follow(-1);

    private void Follow(int more)
    {
        using (_followLock.Enter())
        {
            _isFollowing += more;
            if (_isFollowing == Math.Max(more, 0))
            {
                _core.Heap.SetFollowing(_isFollowing > 0);
            }
        }
    }

    /// <summary>C# took a reference, or was handed one that nobody had written down.</summary>
    internal RefToken? OwnedByCSharp(KernelObject obj, RefSite site)
    {
        var scope = _core.CurrentScope;
        if (!NeedsToken(scope))
        {
            return null;
        }

        var nowNs = _core.NowNs;
        using (_lock.Enter())
        {
            var record = Add(obj, scope is null ? HolderKey.CSharp : HolderKey.Run(scope), site, nowNs);
            record.Scope = scope;
            scope?.Held.Add(record);
            return new RefToken(this, record);
        }
    }

    /// <summary>C# took a reference out of the slot; the exchange is already done.</summary>
    /// <returns>False where nobody had put one there: what was taken out is not counted.</returns>
    internal bool TryTakeFromSlot(KernelObject obj, ulong slot, RefSite site, out RefToken? token)
    {
        token = null;
        var nowNs = _core.NowNs;
        using (_lock.Enter())
        {
            var record = TakeFromSlot(obj, slot);
            if (record is null && Level > LedgerLevel.Counts)
            {
                return false;
            }

            token = ToCSharp(record, obj, site, nowNs);
            return true;
        }
    }

    /// <summary>C# moves a reference into the slot and takes out what was there.</summary>
    internal KernelObject? ExchangeFromCSharp(
        ulong slot, KernelObject next, RefToken? nextToken, RefSite site, out RefToken? token)
    {
        token = null;
        if (nextToken is not null && !nextToken.TrySpend(site, "moved"))
        {
            return null;
        }

        KernelObject unowned;
        var nowNs = _core.NowNs;
        using (_lock.Enter())
        {
            var oldAddress = ExchangeSlot(slot, next.Address);
            var old = _core.Heap.FindObject(oldAddress);
            var oldRecord = old is null ? null : TakeFromSlot(old, slot);
            PutIntoSlot(nextToken?.Record, next, slot, site, nowNs);
            if (old is null || oldRecord is not null || Level == LedgerLevel.Counts)
            {
                token = old is null ? null : ToCSharp(oldRecord, old, site, nowNs);
                return old;
            }

            unowned = old;
        }

        Misuse.ReportUnowned(unowned, site);
        return null;
    }

    /// <summary>A program took a reference.</summary>
    internal void AcquiredByRun(KernelObject obj, IProgramRun run)
    {
        if (Level > LedgerLevel.Counts)
        {
            var (site, nowNs) = (run.Site, _core.NowNs);
            using (_lock.Enter())
            {
                Add(obj, HolderKey.Run(run), site, nowNs);
            }
        }
    }

    /// <summary>A program gives a reference up: to be released, or into a collection or queue.</summary>
    /// <returns>The record, which the caller moves on or forgets; null where it was not followed.</returns>
    internal RefRecord? TakeFromRun(KernelObject obj, IProgramRun run)
    {
        if (Level == LedgerLevel.Counts)
        {
            return null;
        }

        using (_lock.Enter())
        {
            return FindAt(obj, HolderKey.Run(run));
        }
    }

    /// <summary>A program exchanges a slot's content, both sides as addresses.</summary>
    internal ulong ExchangeFromRun(ulong slot, ulong next, IProgramRun run)
    {
        if (Level == LedgerLevel.Counts)
        {
            return ExchangeSlot(slot, next);
        }

        var (site, nowNs) = (run.Site, _core.NowNs);
        using (_lock.Enter())
        {
            var nextObj = _core.Heap.FindObject(next);
            var nextRecord = nextObj is null ? null : FindAt(nextObj, HolderKey.Run(run));
            var old = ExchangeSlot(slot, next);
            if (_core.Heap.FindObject(old) is { } oldObj)
            {
                var record = TakeFromSlot(oldObj, slot) ?? Add(oldObj, HolderKey.Run(run), site, nowNs);
                record.MoveTo(HolderKey.Run(run), site, Level == LedgerLevel.Full);
            }

            if (nextObj is not null)
            {
                PutIntoSlot(nextRecord, nextObj, slot, site, nowNs);
            }

            return old;
        }
    }

    /// <summary>Empties a slot because its memory dies. The caller drops what was in it.</summary>
    internal ulong EmptySlot(ulong slot)
    {
        if (Level == LedgerLevel.Counts)
        {
            return ExchangeSlot(slot, 0);
        }

        using (_lock.Enter())
        {
            // The slot may be the root of a list or tree: then the address is inside an object,
            // and it has no record here.
            var old = ExchangeSlot(slot, 0);
            if (_core.Heap.FindObject(old) is { } obj && TakeFromSlot(obj, slot) is { } record)
            {
                Remove(record);
            }

            return old;
        }
    }

    /// <summary>Moves a followed reference to another holder.</summary>
    internal void Move(KernelObject obj, HolderKey from, HolderKey to, RefSite site)
    {
        if (Level == LedgerLevel.Counts)
        {
            return;
        }

        var nowNs = _core.NowNs;
        using (_lock.Enter())
        {
            var record = FindAt(obj, from) ?? Add(obj, from, site, nowNs);
            record.MoveTo(to, site, Level == LedgerLevel.Full);
        }
    }

    /// <summary>A reference held at this place is given back; the count is the caller's business.</summary>
    internal void Forget(KernelObject obj, HolderKey at)
    {
        if (Level > LedgerLevel.Counts)
        {
            using (_lock.Enter())
            {
                if (FindAt(obj, at) is { } record)
                {
                    Remove(record);
                }
            }
        }
    }

    internal void Forget(RefRecord record)
    {
        using (_lock.Enter())
        {
            Remove(record);
        }
    }

    /// <summary>The record leaves C#: to a program run or any other holder.</summary>
    internal void MoveOn(RefRecord record, HolderKey to, RefSite site)
    {
        using (_lock.Enter())
        {
            LeaveScope(record);
            if (Level == LedgerLevel.Counts)
            {
                Remove(record);
            }
            else
            {
                record.MoveTo(to, site, Level == LedgerLevel.Full);
            }
        }
    }

    /// <summary>A reference comes to C# from a holder that is not a slot.</summary>
    internal RefToken? HandToCSharp(KernelObject obj, HolderKey from, RefSite site)
    {
        if (!IsFollowing)
        {
            return null;
        }

        var nowNs = _core.NowNs;
        using (_lock.Enter())
        {
            return ToCSharp(FindAt(obj, from), obj, site, nowNs);
        }
    }

    /// <summary>
    /// The object's memory goes: whoever still has a line on it held a reference that was not counted.
    /// </summary>
    internal void Freed(KernelObject obj)
    {
        if (Level == LedgerLevel.Counts)
        {
            return;
        }

        List<RefRecord> left;
        using (_lock.Enter())
        {
            left = [.. _byObject.GetValueOrDefault(obj.Address) ?? []];
            left.ForEach(Remove);
        }

        foreach (var record in left)
        {
            _core.Report(new(DiagCode.RefUseAfterFree, "freed while somebody still holds a reference")
            {
                Object = obj.ToString(),
                EarlierSite = record.HeldSince,
            });
        }
    }

    /// <summary>
    /// The finalizer found a reference that nobody can release any more. Calls nothing out, does not throw and reads no
    /// native memory: handlers hear of it from whoever drives deferred work.
    /// </summary>
    internal void Dropped(RefRecord record) =>
        _core.FaultDesk.ReportLate(new(DiagCode.RefDropped, "a reference was dropped without a release")
        {
            Object = $"{record.Object.TypeName}@{record.Object.Address:x}",
            EarlierSite = record.AcquiredAt,
        });

    internal void ReportMisuse(RefRecord record, RefSite site, RefSite spentAt, string what) => _core.Report(new(
        what == "released" ? DiagCode.RefReleasedTwice : DiagCode.RefUsedAfterMove,
        $"a reference was {what} after it had been released or moved")
    {
        Object = record.Object.Describe(),
        Site = site.IsKnown ? site : record.Object.Core.SiteHere(),
        EarlierSite = spentAt,
    });

    internal IReadOnlyList<RefRecord> HeldBy(ProgramScope scope)
    {
        using (_lock.Enter())
        {
            return [.. scope.Held];
        }
    }

    // Whether a reference that C# gets now must be told from others on the same object.
    private bool NeedsToken(ProgramScope? scope) =>
        Level > LedgerLevel.Counts || scope is not null || _core.LooksFor(MisuseChecks.References);

    /// <summary>Copies of the records on one object, made in one step.</summary>
    private RecordCopy[] CopyRecords(KernelObject obj)
    {
        using (_lock.Enter())
        {
            // The address may be a later object's by now.
            return [.. (_byObject.GetValueOrDefault(obj.Address) ?? [])
                .Where(r => ReferenceEquals(r.Object, obj))
                .Select(r => r.Copy())];
        }
    }

    private static unsafe ulong ExchangeSlot(ulong slot, ulong next) => Interlocked.Exchange(ref *(ulong*)slot, next);

    private static void LeaveScope(RefRecord record)
    {
        record.Scope?.Held.Remove(record);
        record.Scope = null;
    }

    private RefRecord Add(KernelObject obj, HolderKey holder, RefSite site, long nowNs)
    {
        var record = new RefRecord(++_nextId, obj, holder, site, nowNs);
        if (Level > LedgerLevel.Counts)
        {
            if (!_byObject.TryGetValue(obj.Address, out var list))
            {
                _byObject[obj.Address] = list = [];
            }

            record.Index = list.Count;
            list.Add(record);
        }

        return record;
    }

    private void Remove(RefRecord record)
    {
        LeaveScope(record);
        if (record.Index < 0 || !_byObject.TryGetValue(record.Object.Address, out var list))
        {
            return;
        }

        var last = list[^1];
        list[record.Index] = last;
        last.Index = record.Index;
        list.RemoveAt(list.Count - 1);
        record.Index = -1;
        if (list.Count == 0)
        {
            _byObject.Remove(record.Object.Address);
        }
    }

    private RefRecord? FindAt(KernelObject obj, HolderKey holder)
    {
        var list = _byObject.GetValueOrDefault(obj.Address);
        for (var i = (list?.Count ?? 0) - 1; i >= 0; i--)
        {
            if (list![i].Holder == holder)
            {
                return list[i];
            }
        }

        return null;
    }

    // C# takes out of a slot without the lock: by the time it comes here the slot may hold the next reference, even on
    // the same object. Any record of the pair will do.
    private RefRecord? TakeFromSlot(KernelObject obj, ulong slot)
    {
        if (!_bySlot.TryGetValue((slot, obj.Address), out var records))
        {
            return null;
        }

        var record = records.Pop();
        if (records.Count == 0)
        {
            _bySlot.Remove((slot, obj.Address));
        }

        return record;
    }

    private void PutIntoSlot(RefRecord? record, KernelObject obj, ulong slot, RefSite site, long nowNs)
    {
        if (Level == LedgerLevel.Counts)
        {
            if (record is not null)
            {
                Remove(record);
            }

            return;
        }

        record ??= Add(obj, HolderKey.Slot(slot), site, nowNs);
        LeaveScope(record);
        record.MoveTo(HolderKey.Slot(slot), site, Level == LedgerLevel.Full);
        if (!_bySlot.TryGetValue((slot, obj.Address), out var records))
        {
            _bySlot[(slot, obj.Address)] = records = [];
        }

        records.Push(record);
    }

    private RefToken? ToCSharp(RefRecord? record, KernelObject obj, RefSite site, long nowNs)
    {
        var scope = _core.CurrentScope;
        if (!NeedsToken(scope))
        {
            return null;
        }

        var holder = scope is null ? HolderKey.CSharp : HolderKey.Run(scope);
        if (record is null)
        {
            record = Add(obj, holder, site, nowNs);
        }
        else
        {
            record.MoveTo(holder, site, Level == LedgerLevel.Full);
        }

        record.Scope = scope;
        scope?.Held.Add(record);
        return new RefToken(this, record);
    }
}
