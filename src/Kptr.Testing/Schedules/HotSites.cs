namespace Kptr.Testing.Schedules;

/// <summary>
/// The sites at which schedules turn: where one thread's access met another's, at least one of them a write, in no
/// order given by a lock; and the locks and atomic operations that threads share. Elsewhere a turn changes nothing
/// that a turn at the next such site does not.
/// </summary>
internal sealed class HotSites(SiteTable sites)
{
    private bool[] _isHot = new bool[sites.Count];
    private bool _isAllHot;

    /// <summary>How many there are; it only grows.</summary>
    internal int Count { get; private set; }

    /// <summary>Sites found in a run count from the next run on: a run sees one set.</summary>
    private readonly List<int> _found = [];
    private readonly HashSet<int> _tried = [];
    private readonly HashSet<int> _ranks = [];
    private bool _isMoreFound;

    /// <summary>Sites found in this run, or hot before all were made hot.</summary>
    internal HashSet<int> Met { get; } = [];

    // An assembly that is loaded later brings sites of its own.
    internal bool this[int site] => _isAllHot || (site < _isHot.Length && _isHot[site]);

    internal void Add(int site)
    {
        Met.Add(site);
        if (!this[site] && !_found.Contains(site))
        {
            _found.Add(site);
        }
    }

    /// <summary>Whether somebody can tell at this site that a lock is held: who tries it, or an interrupt.</summary>
    internal bool IsHeldSeen(int site) => _isAllHot || _tried.Contains(site);

    internal void AddHeldSeen(int site) => _isMoreFound |= _tried.Add(site);

    /// <summary>Whether threads meet under locks of Kptr's of this rank.</summary>
    internal bool IsHotRank(int rank) => _isAllHot || _ranks.Contains(rank);

    internal void AddRank(int rank) => _isMoreFound |= _ranks.Add(rank);

    /// <summary>Takes what was found; true where it is something.</summary>
    internal bool Adopt()
    {
        Array.Resize(ref _isHot, sites.Count);
        foreach (var site in _found)
        {
            _isHot[site] = true;
            Count++;
        }

        var any = _found.Count > 0 || _isMoreFound;
        _found.Clear();
        _isMoreFound = false;
        return any;
    }

    internal void MakeAllHot() => _isAllHot = true;
}
