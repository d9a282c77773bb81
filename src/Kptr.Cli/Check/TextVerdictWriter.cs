using Kptr.Cli.Output;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>Verdicts for a person: a line a program, and below a rejected one why, on its C lines.</summary>
internal sealed class TextVerdictWriter(Screen screen, bool withLog) : IVerdictWriter
{
    private const string Margin = "    ";

    public void Write(string file, ProgVerdicts verdicts)
    {
        var verdict = verdicts.Kernels[0].Said;
        var (prog, result) = (verdict.Prog, verdict.Result);
        screen.Hanging(12,
            Word(result.Verdict, 11),
            $" {Path.GetFileName(file)} ", Ink.Strong(prog.Name), $" [{prog.SectionName}]",
            Ink.Quiet($" {result.InsnsProcessed} insns processed, {result.States} states"));
        if (!result.IsAccepted)
        {
            Explain(screen, result.Explanation, Margin);
        }

        foreach (var warning in result.IsAccepted ? result.Warnings : [])
        {
            screen.Hanging(
                Margin.Length, Margin, Ink.Doubtful("warning"),
                $": insn {warning.InsnIdx}: {warning.Message} ({warning.Code})");
            if (warning.Source is { } source)
            {
                screen.Line($"{Margin}{Margin}at {source}");
            }
        }

        if (verdict.BtfFault is { } fault)
        {
            screen.Hanging(Margin.Length, Margin, Ink.Note("note"),
                $": {fault.Message}; the program is judged without BTF");
        }

        if (withLog)
        {
            screen.Plain(result.Log.TrimEnd());
        }
    }

    public void Finish(VerdictCount count)
    {
        if (count.Files + count.Unreadable > 1)
        {
            screen.Hanging(0, count.ToString());
        }
    }

    public static Ink Word(Verdict verdict, int columns = 0)
    {
        var word = VerdictWords.Of(verdict).PadRight(columns);
        return verdict switch
        {
            Verdict.Accept => Ink.Good(word),
            Verdict.Reject => Ink.Bad(word),
            _ => Ink.Doubtful(word),
        };
    }

    /// <summary>Prints <see cref="VerifyResult.Explanation"/>, whose lines begin with what they are.</summary>
    public static void Explain(Screen screen, string explanation, string margin)
    {
        foreach (var (at, line) in explanation.Split('\n').Index())
        {
            var indent = margin.Length + line.Length - line.TrimStart().Length;
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (at == 0)
            {
                screen.Hanging(margin.Length, margin, Ink.Bad(line));
            }
            else if (line.StartsWith("note: ", StringComparison.Ordinal)
                || line.StartsWith("path:", StringComparison.Ordinal)
                || line.StartsWith("mend it: ", StringComparison.Ordinal))
            {
                screen.Hanging(margin.Length, margin, Ink.Note(line[..colon]), line[colon..]);
            }
            else if (line.Contains(" | ", StringComparison.Ordinal))
            {
                screen.Line(margin + line);
            }
            else
            {
                screen.Hanging(indent, margin + line);
            }
        }
    }
}
