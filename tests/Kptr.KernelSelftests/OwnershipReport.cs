using System.Globalization;
using System.Text.RegularExpressions;
using Kptr.Diagnostics;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.KernelSelftests;

/// <summary>
/// Programs of the generator about who owns what, <c>--count N</c> from <c>--seed N</c> on: written to
/// <c>--to FILE</c> for a real kernel, or judged and compared with what it answered (<c>--answers FILE</c>).
/// </summary>
internal static partial class OwnershipReport
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    internal static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        var count = int.Parse(options["count"] ?? "200", CultureInfo.InvariantCulture);
        var generated = options["pointers"] is null
            ? Enumerable.Range(seed, count).Select(s => (Seed: s, Program: ProgGenerator.GenerateOwnership(s)))
            : PointerCells(kernel);
        if (options["number"] is { } number)
        {
            Console.WriteLine(generated.Single(g => g.Seed == int.Parse(number, CultureInfo.InvariantCulture)).Program);
            return 0;
        }

        var programs = generated
            .Select(p => (p.Seed, p.Program, Prog: p.Program.TryLink(kernel, new DiagSink())))
            .Where(p => p.Prog is not null)
            .Select(p => (
                p.Seed, p.Program, Prog: p.Prog! with { LoadFlags = p.Prog.LoadFlags | JudgeReport.JudgeFlags }))
            .ToList();
        if (options["to"] is { } file)
        {
            using var to = File.Create(file);
            var on = ProgBase.Ownership;
            LinkedFile.Write(to, on.Btf, on.Object.Maps, [.. programs.Select(p => (p.Seed, p.Prog))]);
            Console.WriteLine($"{programs.Count} of {count} programs are linked");
            return 0;
        }

        var answers = File.ReadLines(options["answers"]!).Select(l => AnswerPattern().Match(l)).Where(m => m.Success)
            .ToDictionary(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture));
        var tally = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (at, program, prog) in programs)
        {
            Compare(at, program, Judge(prog, kernel), answers.GetValueOrDefault(at), tally, options);
        }

        foreach (var (what, times) in tally)
        {
            Console.WriteLine($"{times,8} {what}");
        }

        return tally.Keys.Any(k => k.StartsWith(Differs, StringComparison.Ordinal)) ? 1 : 0;
    }

    private const string Differs = "DIFFERS";

    // A number for each row and use, the same under every kernel.
    private static IEnumerable<(int Seed, GeneratedProgram Program)> PointerCells(KernelSpec kernel) =>
        from row in PointerPrograms.Rows.Index()
        from use in PointerUse.All.Index()
        select ((row.Index * PointerUse.All.Length) + use.Index, row.Item.Program(use.Item, kernel));

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
        int seed, GeneratedProgram program, VerifyResult? result, Match? answer, SortedDictionary<string, int> tally,
        Options options)
    {
        var what = result is null ? "not finished here"
            : answer is null ? "not answered by the kernel"
            : Difference(result, answer);
        tally[what] = tally.GetValueOrDefault(what) + 1;
        if (result is null || answer is null)
        {
            Console.WriteLine($"seed {seed}: {what}");
        }
        else if (what.StartsWith(Differs, StringComparison.Ordinal) || options["details"] == what)
        {
            var groups = answer.Groups;
            Console.WriteLine(
                $"seed {seed}: {what}\n  here:  {result.Verdict} {result.InsnsProcessed} {result.Message}\n"
                + $"  there: {groups[2].Value} {groups[3].Value} {groups[4].Value}");
            if (options["details"] is not null)
            {
                Console.WriteLine(program);
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
