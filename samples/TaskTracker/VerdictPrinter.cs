using Kptr;

namespace TaskTracker;

/// <summary>Prints what the verifier says of a program, and the story of what is wrong with it.</summary>
internal static class VerdictPrinter
{
    public static void Print(ProgVerdict verdict, TextWriter output)
    {
        var (prog, result) = (verdict.Prog, verdict.Result);
        if (result.IsAccepted)
        {
            output.WriteLine(
                $"   accept  {prog.Name,-25} {prog.SectionName,-26} {result.InsnsProcessed,3} instructions processed");
            return;
        }

        output.WriteLine();
        output.WriteLine($"   reject  {prog.Name}: {result.Message}");
        foreach (var line in (result.Story?.ToString() ?? "").Split('\n'))
        {
            output.WriteLine($"           {line}");
        }
    }
}
