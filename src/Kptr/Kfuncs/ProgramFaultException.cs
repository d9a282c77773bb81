using Kptr.Diagnostics;

namespace Kptr.Kfuncs;

/// <summary>
/// The running program did what it must not; the machine that runs it catches this and ends the run with a fault.
/// </summary>
/// <remarks>Thrown by <see cref="ProgContext"/> into kfuncs, which let it pass.</remarks>
public sealed class ProgramFaultException : Exception
{
    internal ProgramFaultException(DiagCode code, string message)
        : base(message) => Code = code;

    /// <summary>What it did.</summary>
    public DiagCode Code { get; }
}
