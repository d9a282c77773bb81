namespace Kptr.Diagnostics;

/// <summary>Collects what a reader finds wrong. Not safe for several threads at once.</summary>
public sealed class DiagSink
{
    private readonly List<Diagnostic> _all = [];

    /// <summary>Everything reported so far, in order.</summary>
    public IReadOnlyList<Diagnostic> All => _all;

    /// <summary>Whether anything was reported.</summary>
    public bool IsEmpty => _all.Count == 0;

    /// <summary>How many, and the first.</summary>
    public override string ToString() =>
        _all.Count == 0 ? "no diagnostics" : $"{_all.Count} diagnostics, the first: {_all[0]}";

    /// <summary>Adds one fault.</summary>
    public void Report(Diagnostic diagnostic)
    {
        ArgumentNullException.ThrowIfNull(diagnostic);
        _all.Add(diagnostic);
    }
}
