namespace Kptr.Testing.Schedules;

/// <summary>What the code does at a site.</summary>
internal enum SiteKind : byte
{
    /// <summary>A plain load.</summary>
    Read,

    /// <summary>A plain store.</summary>
    Write,

    /// <summary>A load that acquires.</summary>
    VolatileRead,

    /// <summary>A store that releases.</summary>
    VolatileWrite,

    /// <summary>Reads, writes and orders all at once: <c>Interlocked</c>, a concurrent collection.</summary>
    Atomic,

    /// <summary>Takes a lock.</summary>
    Lock,

    /// <summary>Gives a lock back.</summary>
    Unlock,

    /// <summary>Takes a lock if it is free, and tells.</summary>
    TryLock,

    /// <summary>Waits for others: a spin, an event, a condition.</summary>
    Wait,
}

/// <summary>A place in the rewritten code where a schedule can turn.</summary>
/// <param name="Kind">What happens there.</param>
/// <param name="What">The same, in words.</param>
/// <param name="Member">Type and method.</param>
/// <param name="File">Source file; null where no symbols were found.</param>
/// <param name="Line">Line in it, from 1.</param>
internal sealed record Site(SiteKind Kind, string What, string Member, string? File, int Line)
{
    internal string Place => File is null ? Member : $"{Path.GetFileName(File)}:{Line}";

    internal bool IsSync => Kind >= SiteKind.VolatileRead;

    internal bool IsWrite => Kind is SiteKind.Write or SiteKind.VolatileWrite or SiteKind.Atomic
        or SiteKind.Lock or SiteKind.Unlock or SiteKind.TryLock;
}

/// <summary>All sites of the rewritten assemblies, by number.</summary>
internal sealed class SiteTable
{
    private readonly Lock _lock = new();
    private Site[] _sites = new Site[1024];
    private int _count;

    internal int Count => _count;

    internal Site this[int number] => _sites[number];

    internal int Add(Site site)
    {
        lock (_lock)
        {
            if (_count == _sites.Length)
            {
                Array.Resize(ref _sites, _count * 2);
            }

            _sites[_count] = site;
            return _count++;
        }
    }
}
