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
        var linked = ObjectLinker.Link(ProgBase.Living.Object, kernel, new DiagSink());
        string[] names = [LifeLayout.Counter, .. LifeLayout.Maps.Select(LifeLayout.ProgramOf)];
        using var to = File.Create(Path.Combine(folder, "programs"));
        LinkedFile.Write(to, ProgBase.Living.Btf, LifeLayout.Maps,
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
            var comparable = LifeTable.Comparable(life, there, here);
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
