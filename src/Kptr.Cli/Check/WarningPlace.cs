using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>Where in the C source a warning is: it has no path to it.</summary>
internal static class WarningPlace
{
    /// <returns>Null without line info.</returns>
    public static StoryStep? Of(ProgSpec prog, Diagnostic warning)
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
