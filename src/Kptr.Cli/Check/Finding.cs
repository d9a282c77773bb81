using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>A refusal, or a warning of a program that is accepted: what scanners and reviews list.</summary>
/// <param name="File">The object.</param>
/// <param name="Kernel">Who says it.</param>
/// <param name="Said">The program, and all that is said of it.</param>
/// <param name="Reason">What is wrong; null where only the message of a refusal is known.</param>
internal sealed record Finding(string File, KernelSpec Kernel, ProgVerdict Said, Diagnostic? Reason)
{
    public bool IsRefusal => !Said.Result.IsAccepted;

    public DiagCode Code => Reason?.Code ?? DiagCode.None;

    /// <summary>Where it is in the source; null without line info.</summary>
    public StoryStep? Step => IsRefusal
        ? Said.Result.Story?.Steps.LastOrDefault(s => s.Kind == StoryStepKind.Fault)
        : PlaceOf(Said.Prog, Reason!);

    /// <summary>All findings of a program, kernel by kernel.</summary>
    public static IEnumerable<Finding> Of(string file, ProgVerdicts verdicts) => verdicts.Kernels.SelectMany(k =>
        k.Said.Result.IsAccepted
            ? k.Said.Result.Warnings.Select(w => new Finding(file, k.Kernel, k.Said, w))
            : [new Finding(file, k.Kernel, k.Said, k.Said.Result.Diagnostics.LastOrDefault())]);

    // A warning has no path to it.
    private static StoryStep? PlaceOf(ProgSpec prog, Diagnostic warning)
    {
        var insn = warning.InsnIdx ?? 0;
        var line = prog.LineInfos.LastOrDefault(l => l.InsnIdx <= insn);
        return line.File is null ? null
            : new(insn, StoryStepKind.Fault, warning.Message, warning.Source, line.Text.Trim())
            {
                File = line.File, Line = line.Line, Column = line.Column,
            };
    }
}
