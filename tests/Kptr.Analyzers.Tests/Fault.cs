namespace Kptr.Analyzers.Tests;

/// <summary>A planted fault: members of a class that have it, and the same without.</summary>
internal sealed record Fault(string Rule, string Name, string Bad, string Good)
{
    internal static string Prelude { get; } = File.ReadAllText(PathOf("Prelude.cs.txt"));

    internal static IReadOnlyList<Fault> All { get; } =
    [
        .. Directory.GetFiles(PathOf(""), "KPTR*.txt").Order(StringComparer.Ordinal)
            .SelectMany(f => Read(Path.GetFileNameWithoutExtension(f), File.ReadAllText(f))),
    ];

    private static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "Planted", file);

    private static IEnumerable<Fault> Read(string rule, string text)
    {
        foreach (var part in text.Split("# ", StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, rest) = Cut(part, "\n-- bad\n");
            var (bad, good) = Cut(rest, "-- good\n");
            yield return new(rule, name.Trim(), bad.TrimEnd(), good.TrimEnd());
        }
    }

    private static (string Before, string After) Cut(string text, string at)
    {
        var place = text.IndexOf(at, StringComparison.Ordinal);
        return (text[..place], text[(place + at.Length)..]);
    }
}
