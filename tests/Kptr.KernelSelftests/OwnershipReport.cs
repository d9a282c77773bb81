using System.Globalization;
using System.Text.RegularExpressions;
using Kptr.Diagnostics;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.KernelSelftests;

/// <summary>
/// Programs of the generator about who owns what, <c>--count N</c> from <c>--seed N</c> on, or, with
/// <c>--pointers N</c>, one in N of the uses that pointers are put to (<see cref="PointerPrograms"/>): written to
/// <c>--to FILE</c> for a real kernel, or judged and compared with what it answered (<c>--answers FILE</c>).
/// </summary>
internal static partial class OwnershipReport
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>A program under the number that the kernel answers with, and the name that it is reported by.</summary>
    private sealed record Asked(int Number, string Name, GeneratedProgram Program);

    internal static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        var seeds = int.Parse(options["count"] ?? "200", CultureInfo.InvariantCulture);
        var asked = options["pointers"] is { } oneIn
            ? PointerCells(kernel, int.Parse(oneIn, CultureInfo.InvariantCulture))
            : Enumerable.Range(seed, seeds).Select(s => new Asked(s, $"seed {s}", ProgGenerator.GenerateOwnership(s)));
        var programs = asked.Select(a => (Asked: a, Prog: a.Program.TryLink(kernel, new DiagSink())))
            .Where(p => p.Prog is not null)
            .Select(p => (p.Asked, Prog: p.Prog! with { LoadFlags = p.Prog.LoadFlags | JudgeReport.JudgeFlags }));
        if (options["to"] is { } file)
        {
            using var to = File.Create(file);
            var on = ProgBase.Ownership;
            var count = LinkedFile.Write(to, on.Btf, on.Object.Maps, programs.Select(p => (p.Asked.Number, p.Prog)));
            Console.WriteLine($"{count} programs are linked");
            return 0;
        }

        var answers = File.ReadLines(options["answers"]!).Select(l => AnswerPattern().Match(l)).Where(m => m.Success)
            .ToDictionary(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));
        if (options["table"] is { } table)
        {
            File.WriteAllLines(table, PointerTable(answers));
        }

        var tally = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (of, prog) in programs)
        {
            Compare(of, Judge(prog, kernel), answers.GetValueOrDefault(of.Number), tally, options);
        }

        foreach (var (what, times) in tally)
        {
            Console.WriteLine($"{times,8} {what}");
        }

        return tally.Keys.Any(k => k.StartsWith(Differs, StringComparison.Ordinal)) ? 1 : 0;
    }

    private const string Differs = "DIFFERS";

    private static IEnumerable<Asked> PointerCells(KernelSpec kernel, int oneIn) =>
        from row in PointerPrograms.Rows.Index()
        from use in PointerUse.All.Index()
        where (row.Index + use.Index) % oneIn == 0
        let program = row.Item.Program(use.Item, kernel)
        where program is not null
        select new Asked(NumberOf(row.Index, use.Index), $"{row.Item.Label} {use.Item.Name}", program);

    private static int NumberOf(int row, int use) => (row * PointerUse.All.Length) + use;

    // A line for all rows with the same answers, a character for each use: + yes, . no, x nobody was asked.
    private static IEnumerable<string> PointerTable(Dictionary<int, Match> answers) =>
        PointerPrograms.Rows.Index()
            .GroupBy(
                r => string.Concat(Enumerable.Range(0, PointerUse.All.Length)
                    .Select(u => !answers.TryGetValue(NumberOf(r.Index, u), out var answer) ? 'x'
                        : answer.Groups[2].Value == "0" ? '+' : '.')),
                r => r.Item.Label)
            .Select(g => $"{string.Join(',', g)}\t{g.Key}")
            .Prepend("# What may be done with a pointer, a character for each use: + yes, . no, x not asked: "
                + string.Join(' ', PointerUse.All.Select(u => u.Name)));

    private static VerifyResult? Judge(ProgSpec prog, KernelSpec kernel)
    {
        using var time = new CancellationTokenSource(Limit);
        try
        {
            return BpfVerifier.Verify(prog, kernel, new VerifyOptions { Cancellation = time.Token });
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private static void Compare(
        Asked of, VerifyResult? result, Match? answer, SortedDictionary<string, int> tally, Options options)
    {
        var what = result is null ? "not finished here"
            : answer is null ? "not answered by the kernel"
            : Difference(result, answer);
        tally[what] = tally.GetValueOrDefault(what) + 1;
        if (result is null || answer is null)
        {
            Console.WriteLine($"{of.Name}: {what}");
        }
        else if (what.StartsWith(Differs, StringComparison.Ordinal) || options["details"] == what)
        {
            var groups = answer.Groups;
            Console.WriteLine(
                $"{of.Name}: {what}\n  here:  {result.Verdict} {result.InsnsProcessed} {result.Message}\n"
                + $"  there: {groups[2].Value} {groups[3].Value} {groups[4].Value}");
            if (options["details"] is not null)
            {
                Console.WriteLine(of.Program);
            }
        }
    }

    private static string Difference(VerifyResult result, Match answer)
    {
        var isTaken = answer.Groups[2].Value == "0";
        if (result.IsAccepted != isTaken)
        {
            return isTaken ? $"{Differs}: refused here alone ({result.Verdict})" : $"{Differs}: accepted here alone";
        }

        var isSameCount = answer.Groups[3].Value == result.InsnsProcessed.ToString(CultureInfo.InvariantCulture);
        if (isTaken)
        {
            return isSameCount ? "accepted, as many instructions"
                : $"{Differs}: accepted, another number of instructions";
        }

        var last = result.Message.Split('\n')[^1].Trim();
        return !isSameCount ? "refused, another number of instructions"
            : last == answer.Groups[4].Value.Trim() ? "refused, the same last line" : "refused, another last line";
    }

    [GeneratedRegex(@"^PROG (\d+) (\d+) (-?\d+) ?(.*)$")]
    private static partial Regex AnswerPattern();
}
