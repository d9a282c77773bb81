namespace Kptr.Objects;

/// <summary>The identity of one C#-held reference, shared by all copies of its <see cref="KernelRef{T}"/>.</summary>
/// <remarks>Exists only where references are followed one by one. When the last copy is lost while it still owns, the
/// garbage collector finds it here and the drop is reported.</remarks>
internal sealed class RefToken
{
    private readonly Ledger _ledger;
    private int _isSpent;
    private RefSite _spentAt;

    internal RefToken(Ledger ledger, RefRecord record)
    {
        _ledger = ledger;
        Record = record;
    }

    ~RefToken()
    {
        if (_isSpent == 0)
        {
            _ledger.Dropped(Record);
        }
    }

    internal RefRecord Record { get; }

    internal void Release(string file, int line)
    {
        var site = Record.Object.Core.SiteHere(file, line);
        if (TrySpend(site, "released"))
        {
            _ledger.Forget(Record);
            Record.Object.ReleaseCount(site);
        }
    }

    /// <summary>Marks the reference as moved on or released; false and a report when it already was.</summary>
    internal bool TrySpend(RefSite site, string what)
    {
        if (Interlocked.Exchange(ref _isSpent, 1) == 0)
        {
            _spentAt = site;
#pragma warning disable CA1816 // a token is not disposed of but spent, and then has nothing to report
            GC.SuppressFinalize(this);
#pragma warning restore CA1816
            return true;
        }

        _ledger.ReportMisuse(Record, site, _spentAt, what);
        return false;
    }

    internal void CheckUse()
    {
        if (Volatile.Read(ref _isSpent) != 0)
        {
            _ledger.ReportMisuse(Record, RefSite.Unknown, _spentAt, "used");
        }
    }
}
