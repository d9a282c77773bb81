namespace Kptr.Diagnostics;

/// <summary>
/// Bad input, from the throwing form of a reader: it carries what the <c>Try</c> form would have reported.
/// </summary>
public class DiagnosticException : Exception
{
    /// <summary>Wraps the faults of one read; the first gives the message.</summary>
    /// <param name="diagnostics">At least one fault.</param>
    public DiagnosticException(IReadOnlyList<Diagnostic> diagnostics)
        : base(diagnostics is { Count: > 0 } ? diagnostics[0].ToString() : "bad input")
    {
        Diagnostics = diagnostics ?? [];
    }

    /// <summary>All faults, in the order found.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics { get; }
}
