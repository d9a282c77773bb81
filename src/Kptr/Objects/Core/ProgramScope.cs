using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>
/// A stretch of C# that follows the rule of BPF programs: what it acquires it must release or store before it ends.
/// </summary>
/// <remarks>Belongs to the thread that entered it. Scopes nest.</remarks>
public sealed class ProgramScope : IProgramRun, IDisposable
{
    private readonly KernelCore _core;
    private readonly ProgramScope? _outer;
    private readonly int _threadId = Environment.CurrentManagedThreadId;
    private bool _isActive = true;

    internal ProgramScope(KernelCore core, string name, long runId, ProgramScope? outer)
    {
        _core = core;
        _outer = outer;
        ProgName = name;
        RunId = runId;
    }

    /// <summary>The name given to it.</summary>
    public string ProgName { get; }

    /// <summary>Which run of this kernel it is, from 1.</summary>
    public long RunId { get; }

    RefSite IProgramRun.Site => RefSite.Unknown;

    bool IProgramRun.IsActive => _isActive;

    /// <summary>References taken inside and not yet given back or moved on. Guarded by the ledger's lock.</summary>
    internal HashSet<RefRecord> Held { get; } = [];

    void IProgramRun.Keep()
    {
    }

    string? IProgramRun.Locate(ulong address) => null;

    /// <summary>Ends the scope.</summary>
    /// <exception cref="InvalidOperationException">
    /// This is not the thread that entered it, or a scope inside is still open; it is, too, then.
    /// </exception>
    /// <exception cref="KernelFaultException">
    /// A reference taken inside is still owned; each is named with its place.
    /// </exception>
    public void Dispose()
    {
        if (!_isActive)
        {
            return;
        }

        RequireInnermost();
        var held = _core.LeaveScope(this, _outer);
        _isActive = false;
        if (held.Count > 0)
        {
            throw new KernelFaultException([.. held.OrderBy(r => r.Id).Select(r => new KernelFault(
                DiagCode.UnreleasedRefInScope, $"scope \"{ProgName}\" ends with a reference that it took")
            {
                Object = r.Object.ToString(),
                EarlierSite = r.HeldSince,
            })]);
        }
    }

    /// <summary>Name, run and whether it is open.</summary>
    public override string ToString() => $"scope \"{ProgName}\" (run {RunId}, {(_isActive ? "open" : "ended")})";

    private void RequireInnermost()
    {
        var inner = _core.CurrentScope;
        if (inner == this)
        {
            return;
        }

        List<string> open = [];
        for (var at = inner; at is not null && at != this; at = at._outer)
        {
            open.Add($"\"{at.ProgName}\"");
        }

        throw new InvalidOperationException(_threadId != Environment.CurrentManagedThreadId
            ? $"scope \"{ProgName}\" ends on a thread that did not enter it"
            : $"scope \"{ProgName}\" ends before those inside it: {string.Join(", ", open)}");
    }
}
