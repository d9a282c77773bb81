using System.Diagnostics;
using System.Globalization;
using Kptr.Soundness;

namespace Kptr.KernelSelftests;

/// <summary>
/// Generates programs for <c>--seconds N</c> from <c>--seed N</c> on, runs the accepted ones and prints what is wrong.
/// </summary>
public static class GenerateReport
{
    public static int Run(Options options)
    {
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        var limit = TimeSpan.FromSeconds(int.Parse(options["seconds"] ?? "60", CultureInfo.InvariantCulture));
        var start = Stopwatch.GetTimestamp();
        var verdicts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        long runs = 0, looks = 0;
        int faults = 0, count = 0;
        for (; Stopwatch.GetElapsedTime(start) < limit; count++)
        {
            var program = ProgGenerator.Generate(seed + count);
            var result = GeneratedCheck.Check(program, seed + count);
            var verdict = result.Rejected?.Code.ToString() ?? "accepted";
            verdicts[verdict] = verdicts.GetValueOrDefault(verdict) + 1;
            if (verdict == options["details"])
            {
                Console.WriteLine($"{program}=> {result.Rejected}\n");
            }

            runs += result.Outcome?.RunCount ?? 0;
            looks += result.Outcome?.CheckedCount ?? 0;
            if (result.Fault is { } fault)
            {
                faults++;
                Console.WriteLine($"seed {seed + count}: {fault}");
                Console.WriteLine(result.Outcome!.Kind == RunKind.LeftOut ? program : GeneratedCheck.Shrink(
                    program, seed + count));
            }
        }

        foreach (var (verdict, times) in verdicts.OrderByDescending(v => v.Value))
        {
            Console.WriteLine($"{times,8} {verdict}");
        }

        Console.WriteLine(
            $"generated programs: {count}, runs {runs}, instructions held against the verifier "
                + $"{looks}, faults {faults}");
        return faults == 0 ? 0 : 1;
    }
}
