namespace Kptr.Cli.Check;

/// <summary>Verdicts for a person: a line a program, and the story below a rejected one.</summary>
internal sealed class TextVerdictWriter(TextWriter output, bool withLog) : IVerdictWriter
{
    public void Finish()
    {
    }

    public void Write(string file, ProgVerdicts verdicts)
    {
        var verdict = verdicts.Kernels[0].Said;
        var (prog, result) = (verdict.Prog, verdict.Result);
        output.WriteLine(
            $"{VerdictWords.Of(result.Verdict),-11} {Path.GetFileName(file)} {prog.Name} [{prog.SectionName}]"
                + $" {result.InsnsProcessed} insns processed, {result.States} states");
        if (!result.IsAccepted)
        {
            foreach (var line in result.Explanation.Split('\n'))
            {
                output.WriteLine("    " + line);
            }
        }

        foreach (var warning in result.IsAccepted ? result.Warnings : [])
        {
            output.WriteLine($"    warning: insn {warning.InsnIdx}: {warning.Message} ({warning.Code})");
            if (warning.Source is { } source)
            {
                output.WriteLine($"        at {source}");
            }
        }

        if (verdict.BtfFault is { } fault)
        {
            output.WriteLine($"    note: {fault.Message}; the program is judged without BTF");
        }

        if (withLog)
        {
            output.WriteLine(result.Log.TrimEnd());
        }
    }
}
