using System.Collections.Immutable;

namespace Kptr.Diagnostics;

/// <summary>Collects what a reader finds wrong. Safe for any number of threads.</summary>
public sealed class DiagSink
{
    private ImmutableList<Diagnostic> _all = [];

    /// <summary>Everything reported so far, in order; what is reported later is not in it.</summary>
    public IReadOnlyList<Diagnostic> All => _all;

    /// <summary>Whether anything was reported.</summary>
    public bool IsEmpty => _all.IsEmpty;

    /// <summary>How many, and the first.</summary>
    public override string ToString() =>
        _all is [var first, ..] all ? $"{all.Count} diagnostics, the first: {first}" : "no diagnostics";

    /// <summary>Adds one fault.</summary>
    public void Report(Diagnostic diagnostic)
    {
        ArgumentNullException.ThrowIfNull(diagnostic);
        ImmutableInterlocked.Update(ref _all, static (all, added) => all.Add(added), diagnostic);
    }
}
