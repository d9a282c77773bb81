namespace Kptr.Objects;

/// <summary>One run of a BPF program, as the ledger sees it: a holder of references.</summary>
/// <remarks>
/// What executes programs implements it; the ledger asks it from any thread at any time, with no lock held.
/// </remarks>
internal interface IProgramRun
{
    /// <summary>Name of the program.</summary>
    string ProgName { get; }

    /// <summary>Which run of this kernel it is, from 1.</summary>
    long RunId { get; }

    /// <summary>The place the program is at now.</summary>
    RefSite Site { get; }

    /// <summary>False once the program has returned: what it still holds then is leaked.</summary>
    bool IsActive { get; }

    /// <summary>The ledger is about to name it as a holder: it stands for this run for good.</summary>
    void Keep();

    /// <summary>
    /// Where the run keeps this address, such as <c>r6</c> or <c>fp-8</c>; null where it is not found, and on any
    /// thread but the run's own.
    /// </summary>
    string? Locate(ulong address);
}
