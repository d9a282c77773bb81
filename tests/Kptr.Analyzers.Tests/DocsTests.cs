using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Kptr.Analyzers.Tests;

/// <summary>Holds the page of the analyzers, and the C# of the other pages.</summary>
public partial class DocsTests
{
    // What shown code takes from around it.
    private const string Around = """
        namespace Shown;

        public static class Around
        {
            public static Kptr.KernelModel kernel = null!;
            public static Kptr.Objects.TaskStruct task = null!;
            public static Kptr.Maps.HashMap<int, Planted.Entry> tasks = null!;
        }
        """;

    private static readonly string s_root = FindRoot();

    public static TheoryData<string> Rules => [.. Enumerable.Range(1, 13).Select(i => $"KPTR{i:000}")];

    public static TheoryData<string> Pages =>
    [
        "README.md",
        .. Directory.GetFiles(Path.Combine(s_root, "docs"), "*.md").Select(f => $"docs/{Path.GetFileName(f)}")
            .Where(f => f != "docs/analyzers.md").Order(StringComparer.Ordinal),
    ];

    [Theory, MemberData(nameof(Rules))]
    public async Task Rule_HasASection_WithCodeThatEarnsItAndTheSameMended(string rule)
    {
        var page = await File.ReadAllTextAsync(Path.Combine(s_root, "docs", "analyzers.md"));
        var start = page.IndexOf($"## {rule}\n", StringComparison.Ordinal);
        start.Should().BePositive("there is a section");
        var end = page.IndexOf("\n## ", start, StringComparison.Ordinal);
        var section = end < 0 ? page[start..] : page[start..end];
        var blocks = Blocks(section);
        blocks.Should().HaveCount(2);
        (await IdsIn(blocks[0])).Should().Equal(rule);
        (await IdsIn(blocks[1])).Should().BeEmpty();
    }

    [Fact]
    public void Descriptors_LinkToTheirSection()
    {
        var rules = Compiled.Analyzers.SelectMany(a => a.SupportedDiagnostics).Distinct().ToList();
        rules.Select(r => r.Id).Distinct().Should().HaveCount(10);
        rules.Should().OnlyContain(r => r.HelpLinkUri == $"docs/analyzers.md#{r.Id.ToLowerInvariant()}");
    }

    // Shown code leaves out what surrounds it, so it need not compile to be looked at.
    [Theory, MemberData(nameof(Pages))]
    public async Task CodeOfOtherPages_HasNoFault(string page)
    {
        foreach (var block in Blocks(await File.ReadAllTextAsync(Path.Combine(s_root, page))))
        {
            var compilation = Compiled.Of(
                [Snippet.Statements(block), Around, Fault.Prelude], OutputKind.ConsoleApplication);
            (await Compiled.FindingsAsync(compilation)).Select(d => d.ToString()).Should().BeEmpty(block);
        }
    }

    private static async Task<IEnumerable<string>> IdsIn(string members)
    {
        var compilation = Compiled.Of(Snippet.Whole(members), Fault.Prelude);
        CSharpGeneratorDriver.Create(
            [new Generators.KfuncGenerator().AsSourceGenerator()], parseOptions: Compiled.Options)
            .RunGeneratorsAndUpdateCompilation(compilation, out var whole, out var said);
        whole.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Should().BeEmpty();
        return said.Concat(await Compiled.FindingsAsync(whole)).Select(d => d.Id);
    }

    private static List<string> Blocks(string page) =>
        [.. CSharpBlock().Matches(page).Select(m => m.Groups[1].Value)];

    private static string FindRoot()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Kptr.sln")))
        {
            at = at.Parent!;
        }

        return at.FullName;
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();
}
