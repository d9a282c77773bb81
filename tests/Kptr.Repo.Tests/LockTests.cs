using System.Text.RegularExpressions;

namespace Kptr.Repo.Tests;

/// <summary>All locks are ranked, and one README has their order.</summary>
public class LockTests
{
    private const string Folder = "src/Kptr/Diagnostics/Locks";

    [Fact]
    public void Table_HasEveryRankInOrder()
    {
        var ranks = Regex.Matches(File.ReadAllText(Repo.PathOf(Folder, "LockRank.cs")), @"^    (\w+)(?: = 1)?,$",
            RegexOptions.Multiline)
            .Select(m => m.Groups[1].Value).ToList();
        var rows = Rows().Select(r => r.Rank).ToList();
        ranks.Should().HaveCountGreaterThan(10);
        rows.Should().Equal(ranks);
        Rows().Select(r => r.Number).Should().Equal(Enumerable.Range(1, ranks.Count));
    }

    [Fact]
    public void Table_LeadsDownOnly()
    {
        var order = Rows().ToDictionary(r => r.Rank, r => r.Number);
        foreach (var (number, rank, inner) in Rows())
        {
            foreach (var under in inner)
            {
                order.Should().ContainKey(under);
                order[under].Should().BeGreaterThan(number, $"{under} is taken under {rank}");
            }
        }
    }

    [Fact]
    public void EveryRank_IsALockOfSomebody()
    {
        var code = string.Concat(Repo.Files("src/Kptr", "*.cs")
            .Where(f => !f.StartsWith(Folder, StringComparison.Ordinal))
            .Select(f => File.ReadAllText(Repo.PathOf(f))));
        Rows().Select(r => r.Rank).Where(r => !code.Contains($"LockRank.{r}", StringComparison.Ordinal)).Should()
            .BeEmpty();
    }

    [Theory]
    [InlineData(@"\block\s*\(")]
    [InlineData(@"\bnew Lock\(|\bLock \w+ = new\(")]
    [InlineData(@"\bMonitor\.|\bnew SpinLock|\bMutex\b|\bSemaphore|\bReaderWriterLock|MethodImplOptions\.Synchronized")]
    public void OtherLocks_StandNowhere(string pattern)
    {
        var hits = from file in Repo.Files("src/Kptr", "*.cs")
                   where file != $"{Folder}/RankedLock.cs"
                   from line in File.ReadLines(Repo.PathOf(file)).Select((text, i) => (text, no: i + 1))
                   where Regex.IsMatch(WithoutText(line.text), pattern)
                   select $"{file}:{line.no}";
        hits.Should().BeEmpty("RankedLock is the one lock");
    }

    private static string WithoutText(string line) => Regex.Replace(line, @"""[^""]*""|//.*$", "");

    private static List<(int Number, string Rank, string[] Inner)> Rows() =>
        [.. Regex.Matches(File.ReadAllText(Repo.PathOf(Folder, "README.md")),
            @"^\| (\d+) \| (\w+) \| [^|]+ \| ?([\w, ]*) ?\|$", RegexOptions.Multiline)
            .Select(m => (int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture),
                m.Groups[2].Value,
                m.Groups[3].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))];
}
