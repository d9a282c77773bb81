using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>
/// Carries a refusal from the check that found it to the entry point, once per verification. Never leaves the house.
/// </summary>
[SuppressMessage("Design", "CA1032", Justification = "made in one place only")]
[SuppressMessage("Design", "CA1064", Justification = "never leaves the assembly")]
internal sealed class RejectException(Diagnostic diagnostic, Errno errno) : Exception(diagnostic.Message)
{
    public Diagnostic Diagnostic { get; } = diagnostic;

    public Errno Errno { get; } = errno;
}
