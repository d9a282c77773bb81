namespace Kptr.Repo.Tests;

/// <summary>What every room of the house has.</summary>
public class HouseTests
{
    private const int ReadmeLinesMax = 60;
    private const int ColumnsMax = 120;

    public static TheoryData<string> SourceFolders =>
        [.. Directory.GetDirectories(Repo.PathOf("src", "Kptr"))
            .Select(d => Path.GetFileName(d)!)
            .Where(n => n is not ("bin" or "obj"))];

    [Theory, MemberData(nameof(SourceFolders))]
    public void SourceFolder_HasAReadmeOfOneScreen(string folder)
    {
        var readme = Repo.PathOf("src", "Kptr", folder, "README.md");
        File.Exists(readme).Should().BeTrue();
        File.ReadLines(readme).Count().Should().BeLessThanOrEqualTo(ReadmeLinesMax);
    }

    [Theory, InlineData("src"), InlineData("samples"), InlineData("tests")]
    public void NoLine_IsLongerThanAScreenIsWide(string top)
    {
        var wide = Repo.Files(top, "*.cs").SelectMany(Wide);
        wide.Should().BeEmpty($"lines have at most {ColumnsMax} columns");
    }

    // What a raw string literal holds is another language's text, which cannot be wrapped everywhere.
    private static IEnumerable<string> Wide(string file)
    {
        var isRaw = false;
        foreach (var (text, i) in File.ReadLines(Repo.PathOf(file)).Select((text, i) => (text, i)))
        {
            isRaw ^= (text.Split("\"\"\"").Length & 1) == 0;
            if (text.Length > ColumnsMax && !isRaw)
            {
                yield return $"{file}:{i + 1} has {text.Length}";
            }
        }
    }

    [Fact]
    public void NoSourceFile_HasWindowsLineEndsOrTabs()
    {
        var odd = Repo.CodeFolders
            .SelectMany(top => Repo.Files(top, "*.cs"))
            .Where(f => File.ReadAllText(Repo.PathOf(f)).AsSpan().IndexOfAny('\r', '\t') >= 0);
        odd.Should().BeEmpty();
    }
}
