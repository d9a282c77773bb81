using Kptr.Diagnostics;

namespace Kptr.Kfuncs;

/// <summary>
/// The running program did what it must not; the machine that runs it catches this and ends the run with a fault.
/// </summary>
internal sealed class ProgramFaultException(DiagCode code, string message) : Exception(message)
{
    /// <summary>What it did.</summary>
    internal DiagCode Code { get; } = code;
}
