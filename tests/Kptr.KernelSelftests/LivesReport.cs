using System.Globalization;
using System.Text.RegularExpressions;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Soundness;
using Kptr.Soundness.Lives;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Lives of maps, <c>--count N</c> from <c>--seed N</c> on, or of those with <c>--only TEXT</c> in their name: written
/// to the folder <c>--to DIR</c> for a real kernel, or played in modelled ones and compared with what it answered
/// (<c>--answers FILE</c>; <c>--table FILE</c> keeps the lives with those answers).
/// </summary>
internal static partial class LivesReport
{
    internal static int Run(Options options)
    {
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        var count = int.Parse(options["count"] ?? "200", CultureInfo.InvariantCulture);
        var kernel = Kernel.Read(options);
        var lives = Enumerable.Range(seed, int.MaxValue - seed)
            .Select(s => LifeGenerator.Generate(s, kernel.Profile).ToList())
            .Where(l => NameOf(l).Contains(options["only"] ?? "", StringComparison.Ordinal))
            .Take(count).ToList();
        return options["to"] is { } folder ? Write(folder, kernel, lives) : Compare(options, kernel.Profile, lives);
    }

    private static string NameOf(List<LifeStep> life) => LifeLayout.Maps[(int)life[0].Number(0)].Name;

    private static int Write(string folder, KernelSpec kernel, List<List<LifeStep>> lives)
    {
        var all = ProgBase.Living.Object;
        var unknown = LifeLayout.Maps.Where(m => !LifeLayout.IsKnown(m, kernel.Profile)).ToList();
        var faults = new DiagSink();
        var linked = ObjectLinker.Link(
            all with
            {
                Maps = [.. all.Maps.Except(unknown)],
                Progs = [.. all.Progs.ExceptBy(unknown.Select(LifeLayout.ProgramOf), p => p.Name)],
            },
            kernel, faults);
        foreach (var fault in faults.All)
        {
            Console.WriteLine(fault);
        }

        // What the kernel does not know is not written, and no life is of it: another stands in its place.
        string[] names =
            [LifeLayout.Counter, .. LifeLayout.Maps.Select(m => unknown.Contains(m) ? LifeLayout.Counter
                : LifeLayout.ProgramOf(m))];
        var maps = LifeLayout.AllMaps.Select(m => unknown.Contains(m) ? LifeLayout.Maps[0] : m);
        using var to = File.Create(Path.Combine(folder, "programs"));
        LinkedFile.Write(to, ProgBase.Living.Btf, [.. maps],
            [.. names.Select((n, i) => (i, linked.Progs.First(p => p.Name == n)))]);
        File.WriteAllLines(Path.Combine(folder, "lives"), lives.SelectMany(l => l).Select(s => s.ToString()));
        return 0;
    }

    private static int Compare(Options options, KernelProfile profile, List<List<LifeStep>> lives)
    {
        var answers = File.ReadLines(options["answers"]!).Select(l => AnswerPattern().Match(l)).Where(m => m.Success)
            .ToDictionary(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture), m => m.Groups[2].Value);
        using var table = options["table"] is { } file ? File.CreateText(file) : TextWriter.Null;
        var player = new LifePlayer(profile);
        var (line, steps, differing) = (0, 0, 0);
        foreach (var life in lives)
        {
            var there = life.Select(s => answers.GetValueOrDefault(++line, "no answer")).ToList();
            var here = player.Play(life);
            var difference = LifeTable.Difference(life, there, here);
            var comparable = LifeTable.Comparable(life, there);
            steps += comparable;
            differing += difference is null ? 0 : 1;
            if (comparable == life.Count)
            {
                LifeTable.Write(table, life, there);
            }

            if (difference is not null)
            {
                Console.WriteLine(difference);
            }
        }

        Console.WriteLine($"lives: {lives.Count} with {steps} steps, {differing} otherwise");
        return differing == 0 ? 0 : 1;
    }

    [GeneratedRegex(@"^A (\d+) (.*)$")]
    private static partial Regex AnswerPattern();
}
