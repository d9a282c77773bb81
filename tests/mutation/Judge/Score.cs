using System.Globalization;

namespace Kptr.Mutation;

/// <summary>What verdicts come to, file by file.</summary>
internal static class Score
{
    public static void Print(
        IReadOnlyList<Mutant> mutants, IReadOnlyDictionary<int, (Verdict Verdict, string By)> verdicts, TextWriter text)
    {
        foreach (var file in mutants.GroupBy(m => m.File))
        {
            text.WriteLine($"{Line(file, verdicts)}  {file.Key}");
        }

        text.WriteLine($"{Line(mutants, verdicts)}  all");
    }

    /// <summary>Every mutant with its verdict: those that live first.</summary>
    public static void List(
        IReadOnlyList<Mutant> mutants, IReadOnlyDictionary<int, (Verdict Verdict, string By)> verdicts, TextWriter text)
    {
        foreach (var mutant in mutants.OrderByDescending(m => verdicts[m.Id].Verdict >= Verdict.Survived))
        {
            var (verdict, by) = verdicts[mutant.Id];
            text.WriteLine(Short($"{verdict} {mutant.File}:{mutant.Line} {mutant.Was}  =>  {mutant.Is}", 240)
                + (verdict < Verdict.Survived ? Short($"  by {by}", 160) : ""));
        }
    }

    // Time-outs are on neither side of the score: they stand beside it.
    private static string Line(
        IEnumerable<Mutant> mutants, IReadOnlyDictionary<int, (Verdict Verdict, string By)> verdicts)
    {
        var count = mutants.CountBy(m => verdicts[m.Id].Verdict).ToDictionary();
        var killed = count.GetValueOrDefault(Verdict.Killed);
        var outOfReach = count.GetValueOrDefault(Verdict.NoCoverage);
        var judged = killed + count.GetValueOrDefault(Verdict.Survived) + outOfReach;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{100.0 * killed / Math.Max(judged, 1),6:f2} %  {killed,4} of {judged,4}, {outOfReach,3} not reached, "
                + $"{count.GetValueOrDefault(Verdict.Timeout),2} out of time");
    }

    private static string Short(string text, int most)
    {
        var line = text.ReplaceLineEndings(" ");
        return line.Length <= most ? line : line[..most];
    }
}
