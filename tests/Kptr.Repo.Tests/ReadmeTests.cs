using System.Text.RegularExpressions;

namespace Kptr.Repo.Tests;

/// <summary>
/// The README tells the truth: its commands are what CI runs, its code is a sample's, its links lead somewhere.
/// </summary>
public class ReadmeTests
{
    private static string Readme => File.ReadAllText(Repo.PathOf("README.md"));

    [Fact]
    public void CodeBlock_IsTheQuickstartSample()
    {
        var block = Regex.Match(Readme, "```csharp\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        block.Should().Be(File.ReadAllText(Repo.PathOf("samples", "Quickstart", "Program.cs")));
    }

    [Fact]
    public void Commands_AreWhatCiRuns()
    {
        var commands = Regex.Match(Readme, "```sh\n(.*?)```", RegexOptions.Singleline).Groups[1].Value
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('#')[0].Trim());
        var ci = File.ReadAllText(Repo.PathOf(".ci", "run"));
        commands.Should().HaveCount(2).And.OnlyContain(c => ci.Contains(c));
    }

    [Fact]
    public void TestsReadme_ListsEveryVariableThatTestsRead_AndTheNightSetsNoOther()
    {
        var read = Repo.Files("tests", "*.cs")
            .SelectMany(f => Variables(File.ReadAllText(Repo.PathOf(f)), "\"(KPTR_[A-Z_]+)\"")).ToHashSet();
        var listed = Variables(File.ReadAllText(Repo.PathOf("tests", "README.md")), "`(KPTR_[A-Z_]+)`");
        listed.Should().BeEquivalentTo(read);
        Variables(File.ReadAllText(Repo.PathOf(".ci", "night")), "(KPTR_[A-Z_]+)=").Should().BeSubsetOf(read);

        static HashSet<string> Variables(string text, string pattern) =>
            [.. Regex.Matches(text, pattern).Select(m => m.Groups[1].Value)];
    }

    [Fact]
    public void TestsReadme_ListsEveryFolder()
    {
        var readme = File.ReadAllText(Repo.PathOf("tests", "README.md"));
        var folders = Directory.GetDirectories(Repo.PathOf("tests")).Select(f => Path.GetFileName(f)!);
        folders.Where(f => !readme.Contains(f.Replace("Kptr.Testing.", "."))).Should().BeEmpty();
    }

    public static TheoryData<string> Pages =>
        ["README.md", "CHANGELOG.md", .. Repo.Files("docs", "*.md"), .. Repo.Files("src", "*.md")];

    [Theory, MemberData(nameof(Pages))]
    public void Links_LeadToFilesThatAreThere(string page)
    {
        var folder = Path.GetDirectoryName(Repo.PathOf(page))!;
        var broken = Regex.Matches(File.ReadAllText(Repo.PathOf(page)), @"\]\((?!https?:|#)([^)#\s]+)")
            .Select(m => m.Groups[1].Value)
            .Where(link => !Path.Exists(Path.Combine(folder, link)));
        broken.Should().BeEmpty();
    }
}
