namespace Kptr.Objects;

/// <summary>How closely the ledger follows references.</summary>
public enum LedgerLevel
{
    /// <summary>
    /// Counts only, without any work per operation: holders are found by looking through maps and
    /// kernel tables when asked.
    /// </summary>
    Counts,

    /// <summary>One record per reference: who holds it now, where it was taken, since when.</summary>
    Sites,

    /// <summary>As <see cref="Sites"/>, and each record keeps every move it made.</summary>
    Full,
}
