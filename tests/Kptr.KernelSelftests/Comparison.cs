using System.Globalization;

namespace Kptr.KernelSelftests;

/// <summary>Counts agreement with the expected verdicts, in total, for the ownership families and by object.</summary>
public static class Comparison
{
    /// <summary>
    /// Prints the figures; the result is 1 where one disagrees that the ratchet does not know, or, without a ratchet,
    /// where a program was accepted that the kernel refused.
    /// </summary>
    public static int Print(Judgement[] rows, ILookup<string, ExpectedRow> expected, Options options)
    {
        var pairs = rows
            .Select(j => (Ours: j, Theirs: expected[j.Object].FirstOrDefault(r => r.Program == j.Program)))
            .Where(p => p.Theirs is not null && p.Theirs["verdict"] is "ok" or "reject" && p.Theirs is not null)
            .Select(p => (p.Ours, Theirs: p.Theirs!)).ToList();
        if (options["ownership"] is { } file)
        {
            var names = File.ReadAllLines(file).Select(l => l.Trim()).ToHashSet();
            PrintFigures("ownership", [.. pairs.Where(p => names.Contains(p.Theirs.Object))]);
        }

        PrintFigures("all", pairs);
        if (options["details"] is not null)
        {
            foreach (var (ours, theirs) in pairs.Where(p => !Agrees(p)))
            {
                var kind = ours.Verdict == "ok" ? "FALSE-ACCEPT"
                    : theirs["verdict"] == "ok" ? "false-" + ours.Verdict
                    : ours.Verdict;
                Console.WriteLine($"{kind}\t{ours.Object}/{ours.Program}\t{ours.Message}\t<> {theirs["error"]}");
            }

            foreach (var (ours, theirs) in pairs.Where(Agrees))
            {
                if (AnnotatedMessages.FirstMissing(ours.Log, AnnotatedMessages.Of(theirs)) is { } missing)
                {
                    Console.WriteLine(
                        $"message\t{ours.Object}/{ours.Program}\tlacks: {missing.ReplaceLineEndings("\\n")}");
                }
            }
        }

        var isNoWorse = options["ratchet"] is { } ratchet
            ? Ratchet.Holds(ratchet, [.. pairs.Select(p => ($"{p.Ours.Object} {p.Ours.Program}", Agrees(p)))])
            : !pairs.Any(IsFalseAccept);
        return isNoWorse ? 0 : 1;
    }

    private static void PrintFigures(string title, List<(Judgement Ours, ExpectedRow Theirs)> pairs)
    {
        int Count(Func<(Judgement Ours, ExpectedRow Theirs), bool> of) => pairs.Count(of);
        var agree = Count(Agrees);
        var annotated = pairs.Where(p => p.Theirs["verdict"] == "reject" && p.Ours.Verdict == "reject").ToList();
        var demanding = pairs.Where(p => AnnotatedMessages.Of(p.Theirs).Length > 0).ToList();
        var satisfied = demanding.Count(
            p => Agrees(p) && AnnotatedMessages.FirstMissing(p.Ours.Log, AnnotatedMessages.Of(p.Theirs)) is null);
        var sameMessage = annotated.Count(p => SaysTheSame(p.Ours, p.Theirs));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{title}: {agree}/{pairs.Count} agree ({100.0 * agree / Math.Max(1, pairs.Count):f1} %), "
                + $"false accepts {Count(IsFalseAccept)}, "
            + $"false rejects {Count(p => p.Ours.Verdict == "reject" && p.Theirs["verdict"] == "ok")}, "
            + $"unsupported {Count(p => p.Ours.Verdict == "unsupported")}, "
            + $"noload {Count(p => p.Ours.Verdict == "noload")}, "
            + $"crashes {Count(p => p.Ours.Verdict == "crash")}; same message {sameMessage}/{annotated.Count}, "
            + $"all annotated messages {satisfied}/{demanding.Count} "
            + $"({100.0 * satisfied / Math.Max(1, demanding.Count):f1} %)"));
    }

    private static bool Agrees((Judgement Ours, ExpectedRow Theirs) pair) =>
        pair.Ours.Verdict == pair.Theirs["verdict"];

    private static bool IsFalseAccept((Judgement Ours, ExpectedRow Theirs) pair) =>
        pair.Ours.Verdict == "ok" && pair.Theirs["verdict"] == "reject";

    private static bool SaysTheSame(Judgement ours, ExpectedRow theirs)
    {
        var lines = theirs["error"].Split("\\n");
        return lines.Contains(ours.Message) || lines[^1] == ours.Message;
    }
}
