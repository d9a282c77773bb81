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
