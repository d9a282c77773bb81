namespace Kptr.Analyzers.Tests;

/// <summary>A planted fault: members of a class that have it, and the same without.</summary>
internal sealed record Fault(string Rule, string Name, string Bad, string Good)
{
    internal static string Prelude { get; } = File.ReadAllText(PathOf("Prelude.cs.txt"));

    internal static IReadOnlyList<Fault> All { get; } =
    [
        .. Directory.GetFiles(PathOf(""), "KPTR*.txt").Order(StringComparer.Ordinal).SelectMany(f => Read(f)),
    ];

    /// <summary>The parts of a file, each below its title.</summary>
    internal static IEnumerable<(string Title, string Text)> Titled(string file) =>
        $"\n{File.ReadAllText(PathOf(file))}".Split("\n# ", StringSplitOptions.RemoveEmptyEntries)
            .Select(part => Cut(part, "\n"));

    private static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "Planted", file);

    private static IEnumerable<Fault> Read(string file)
    {
        foreach (var (title, text) in Titled(file))
        {
            var (bad, good) = Cut(text["-- bad\n".Length..], "-- good\n");
            yield return new(Path.GetFileNameWithoutExtension(file), title.Trim(), bad.TrimEnd(), good.TrimEnd());
        }
    }

    private static (string Before, string After) Cut(string text, string at)
    {
        var place = text.IndexOf(at, StringComparison.Ordinal);
        return (text[..place], text[(place + at.Length)..]);
    }
}
