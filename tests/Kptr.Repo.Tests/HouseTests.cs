namespace Kptr.Repo.Tests;

/// <summary>What every room of the house has.</summary>
public class HouseTests
{
    private const int ReadmeLinesMax = 60;

    public static TheoryData<string> SourceFolders =>
        [.. Directory.GetDirectories(Repo.PathOf("src", "Kptr")).Select(d => Path.GetFileName(d)!).Where(n => n is not ("bin" or "obj"))];

    [Theory, MemberData(nameof(SourceFolders))]
    public void SourceFolder_HasAReadmeOfOneScreen(string folder)
    {
        var readme = Repo.PathOf("src", "Kptr", folder, "README.md");
        File.Exists(readme).Should().BeTrue();
        File.ReadLines(readme).Count().Should().BeLessThanOrEqualTo(ReadmeLinesMax);
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
