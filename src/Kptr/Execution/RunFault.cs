using Kptr.Diagnostics;

namespace Kptr.Execution;

/// <summary>Why a run ended before its program did.</summary>
/// <param name="Code">What kind of fault.</param>
/// <param name="Message">One sentence.</param>
/// <param name="InsnIdx">The instruction, in slots.</param>
/// <param name="Address">The address it was about, or null where it was about none.</param>
public sealed record RunFault(DiagCode Code, string Message, int InsnIdx, ulong? Address = null)
{
    /// <summary>The C source line as <c>file:line</c>, or null without line info.</summary>
    public string? Source { get; init; }

    /// <summary>Everything in one line.</summary>
    public override string ToString() =>
        $"insn {InsnIdx}{(Source is null ? "" : $" ({Source})")}: {Message} ({Code})";
}

/// <summary>How a run ended: with a value, or with a fault.</summary>
/// <param name="R0">What the program returned; 0 after a fault.</param>
/// <param name="Fault">The fault, or null.</param>
public readonly record struct ExecResult(ulong R0, RunFault? Fault)
{
    /// <summary>Whether the program came to its end.</summary>
    public bool IsOk => Fault is null;
}
