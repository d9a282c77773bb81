using System.Text.RegularExpressions;

namespace Kptr.Repo.Tests;

/// <summary>
/// The C# and the C of the pages stand, line by line, in code that is compiled and run: tests, samples and the
/// programs whose objects are there.
/// </summary>
public partial class PageCodeTests
{
    // The analyzers' tests compile its blocks; half of them are faulty on purpose.
    private const string OfTheAnalyzers = "docs/analyzers.md";

    private static readonly Lazy<IReadOnlyList<string[]>> CSharp = new(() =>
        [.. Repo.Files("samples", "*.cs").Concat(Repo.Files("tests", "*.cs")).Select(LinesOf)
            .Where(f => !f.Any(l => l.Contains("```", StringComparison.Ordinal)))]); // those hold pages as text

    private static readonly Lazy<IReadOnlyList<string[]>> Programs = new(() =>
        [.. Repo.Files("samples", "*.bpf.c").Concat(Repo.Files("tests", "*.bpf.c"))
            .Where(f => File.Exists(Repo.PathOf(Path.ChangeExtension(f, "o")))).Select(LinesOf)]);

    public static TheoryData<string> Pages =>
    [
        "README.md",
        .. Repo.Files("docs", "*.md").Concat(Repo.Files("src", "*.md")).Where(p => p != OfTheAnalyzers),
    ];

    [Theory, MemberData(nameof(Pages))]
    public void Code_IsCompiledAndRunSomewhere(string page)
    {
        var text = File.ReadAllText(Repo.PathOf(page));
        foreach (Match block in CodeBlock().Matches(text))
        {
            var files = block.Groups[1].Value == "c" ? Programs.Value : CSharp.Value;
            var line = text[..block.Index].Count(c => c == '\n') + 1;
            files.Should().Contain(
                f => Has(f, block.Groups[2].Value), $"{page}:{line} is shown, so some test or sample has it");
        }
    }

    [Fact]
    public void TheSearch_SeesOtherWordsMissingLinesAndOtherIndents()
    {
        string[] file = ["using Xunit;", "    if (a)", "    {", "        b();", "", "    }"];
        Has(file, "if (a)\n{\n    b();\n\n}\n").Should().BeTrue();
        Has(file, "using Xunit;\n\nif (a)\n{\n").Should().BeTrue("usings stand at the top of a file");
        Has(file, "using Other;\n\nif (a)\n{\n").Should().BeFalse();
        Has(file, "if (a)\n{\n    c();\n").Should().BeFalse();
        Has(file, "if (a)\n    b();\n").Should().BeFalse();
        Has(file, "if (a)\n{\nb();\n").Should().BeFalse();
        Has(file, "    }\n\n}").Should().BeFalse();
        CSharp.Value.Should().HaveCountGreaterThan(100);
        Programs.Value.Should().HaveCountGreaterThan(10);
    }

    // The lines follow each other as in the block, all of them indented by the same; usings stand anywhere.
    private static bool Has(string[] file, string block)
    {
        var lines = block.TrimEnd('\n').Split('\n').ToList();
        foreach (var line in lines.TakeWhile(l => l.Length == 0 || IsUsing(l)).ToList())
        {
            if (line.Length > 0 && !file.Contains(line))
            {
                return false;
            }

            lines.RemoveAt(0);
        }

        var margin = lines.Where(l => l.Length > 0).Min(IndentOf);
        string[] bare = [.. lines.Select(l => l.Length == 0 ? l : l[margin..])];
        return Enumerable.Range(0, Math.Max(file.Length - bare.Length + 1, 0)).Any(at => IsAt(file, at, bare));
    }

    private static bool IsAt(string[] file, int at, string[] lines)
    {
        var indent = file[at][..IndentOf(file[at])];
        return lines.Index().All(l => file[at + l.Index] == (l.Item.Length == 0 ? "" : indent + l.Item));
    }

    private static bool IsUsing(string line) =>
        line.StartsWith("using ", StringComparison.Ordinal) && line.EndsWith(';') && line.LastIndexOf(' ') == 5;

    private static int IndentOf(string line) => line.Length - line.TrimStart().Length;

    private static string[] LinesOf(string file) => File.ReadAllLines(Repo.PathOf(file));

    [GeneratedRegex("^```(csharp|c)\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();
}
