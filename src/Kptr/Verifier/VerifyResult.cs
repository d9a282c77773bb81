using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>What the verifier says about a program.</summary>
public enum Verdict
{
    /// <summary>Linux would load it.</summary>
    Accept,

    /// <summary>Linux would refuse it.</summary>
    Reject,

    /// <summary>It uses something Kptr does not model, so it is not accepted.</summary>
    Unsupported,
}

/// <summary>The answer of one verification.</summary>
public sealed record VerifyResult
{
    internal VerifyResult(Verdict verdict)
    {
        Verdict = verdict;
    }

    /// <summary>The verdict.</summary>
    public Verdict Verdict { get; }

    /// <summary>What is wrong; empty when accepted. The last one is the reason of the verdict.</summary>
    public ImmutableArray<Diagnostic> Diagnostics { get; internal init; } = [];

    /// <summary>
    /// What Linux accepts although it may go wrong, each once an instruction; <see cref="VerifyOptions.Strict"/>
    /// refuses it. Complete where the program is accepted.
    /// </summary>
    public ImmutableArray<Diagnostic> Warnings { get; internal init; } = [];

    /// <summary>The reason in one line, in the kernel's words where it has some; empty when accepted.</summary>
    public string Message { get; internal init; } = "";

    /// <summary>Kernel error number of the refusal.</summary>
    public Errno Errno { get; internal init; }

    /// <summary>How the fault came about, for a person; null when accepted.</summary>
    public VerifyStory? Story { get; internal init; }

    /// <summary>
    /// The whole refusal for a person, in several lines: message and code, the fault on its C line, notes on the lines
    /// it came from, the path in the order of execution, and what would help; empty when accepted.
    /// </summary>
    public string Explanation => IsAccepted ? "" : StoryText.Of(Message, Diagnostics.LastOrDefault(), Story);

    /// <summary>Instructions processed over all paths (<c>insn_processed</c>).</summary>
    public int InsnsProcessed { get; internal init; }

    /// <summary>States remembered in total (<c>total_states</c>).</summary>
    public int States { get; internal init; }

    /// <summary>Most states remembered at once (<c>peak_states</c>).</summary>
    public int PeakStates { get; internal init; }

    /// <summary>Time taken.</summary>
    public TimeSpan Time { get; internal init; }

    /// <summary>The kernel-style log, at the level asked for.</summary>
    public string Log { get; internal init; } = "";

    /// <summary>The checked program, ready to run; null unless accepted.</summary>
    public VerifiedProgram? Program { get; internal init; }

    /// <summary>Verdict, and why.</summary>
    public override string ToString() =>
        IsAccepted ? $"{Verdict} ({InsnsProcessed} instructions, {States} states)" : $"{Verdict}: {Message}";

    /// <summary>Whether the program was accepted.</summary>
    public bool IsAccepted => Verdict == Verdict.Accept;
}
