using System.Text.RegularExpressions;

namespace Kptr.Repo.Tests;

/// <summary>Calls that hide state, lose time or lie: none may stand in our code.</summary>
public class BannedCallTests
{
    private static readonly (string Pattern, string Folder, string Why)[] Bans =
    [
        (@"DateTime(Offset)?\.(Utc)?Now", "", "time comes from a TimeProvider"),
        (@"new Random\(\)", "", "random numbers come from a seed that is printed"),
        (@"Random\.Shared", "", "random numbers come from a seed that is printed"),
        (@"Thread\.Sleep", "tests", "a test steps what it waits for"),
        (@"Task\.Delay", "tests", "a test steps what it waits for"),
        (@"lock\s*\(this\)", "", "anyone may hold the lock of a public object"),
        (@"\[ThreadStatic\]", "", "any number of kernels may live in one process, on any thread"),
        (@"NotImplementedException", "", "a stub is not done"),
        (@"\b(TODO|FIXME|HACK)\b", "", "a stub is not done"),
        (@"""/(tmp|home|root|work)\b", "", "a path of one machine is not there on another"),
    ];

    public static TheoryData<string> Patterns => [.. Bans.Select(b => b.Pattern)];

    [Theory, MemberData(nameof(Patterns))]
    public void BannedCall_StandsNowhere(string pattern)
    {
        var (_, folder, why) = Bans.Single(b => b.Pattern == pattern);
        var hits = from top in Repo.CodeFolders
                   where folder.Length == 0 || folder == top
                   from file in Repo.Files(top, "*.cs")
                   where !file.EndsWith("/BannedCallTests.cs", StringComparison.Ordinal)
                   from line in File.ReadLines(Repo.PathOf(file)).Select((text, i) => (text, no: i + 1))
                   where Regex.IsMatch(line.text, pattern)
                       && !(file.EndsWith("/Schedules/Points.cs", StringComparison.Ordinal) && folder.Length == 0
                           && line.text.Contains("ThreadStatic", StringComparison.Ordinal)) // asked at every step
                   select $"{file}:{line.no}";
        hits.Should().BeEmpty(why);
    }
}
