using System.Text.RegularExpressions;
using Kptr.Testing.Tests.History;
using Kptr.Testing.Tests.Kinds;
using Kptr.Tests.Shared;

namespace Kptr.Testing.Tests;

/// <summary>
/// The table of Linux's bugs in README.md names mutants and scenarios that exist, and leaves none out.
/// </summary>
public class BugTableTests
{
    private const int RowsMin = 40;
    private static readonly string Scenarios = string.Concat(
        new[] { "Maps/Bugs", "Objects" }
            .SelectMany(f => Directory.GetFiles(Path.Combine(RepoRoot.Path, "tests", "Kptr.Tests", f), "*.cs"))
            .Select(File.ReadAllText));

    private static readonly List<string> Lines = [.. File.ReadLines(
        Path.Combine(RepoRoot.Path, "tests", "Kptr.Testing.Tests", "README.md"))
        .Where(line => line.StartsWith("| `", StringComparison.Ordinal))];

    public static TheoryData<string> Rows => [.. Lines];

    [Theory, MemberData(nameof(Rows))]
    public void Row_NamesMutantsThatExist(string row)
    {
        var cells = row.Split('|', StringSplitOptions.TrimEntries);
        cells[1].Should().MatchRegex("^`[0-9a-f]{12}`(, `[0-9a-f]{12}`)*$");
        var names = Regex.Matches(cells[3], @"`([\w.]+)`").Select(m => m.Groups[1].Value).ToList();
        (names.Count > 0 || cells[3].StartsWith("none: ", StringComparison.Ordinal)).Should().BeTrue();
        names.Where(name => !Exists(name)).Should().BeEmpty();
    }

    [Fact]
    public void Table_HasTheBugOfEveryScenario()
    {
        Lines.Should().HaveCountGreaterThan(RowsMin);
        var inTable = Lines.SelectMany(Hashes).ToList();
        inTable.Should().OnlyHaveUniqueItems();
        var ofScenarios = Regex.Matches(Scenarios, @"///.*").SelectMany(line => Hashes(line.Value));
        inTable.Should().Contain(ofScenarios);
    }

    private static IEnumerable<string> Hashes(string text) =>
        Regex.Matches(text, @"\b[0-9a-f]{12}\b").Select(m => m.Value);

    private static bool Exists(string name) => name.Split('.') switch
    {
        ["Fault", var member] => Enum.TryParse<Fault>(member, out _),
        ["OldBug", var member] => Enum.TryParse<OldBug>(member, out _),
        ["ObjectFault", var member] => Enum.TryParse<ObjectFault>(member, out _),
        ["KfuncFault", var member] => Enum.TryParse<KfuncFault>(member, out _),
        ["Bug", var member] => Scenarios.Contains($"Bug.{member}", StringComparison.Ordinal),
        _ => Scenarios.Contains($"void {name}(", StringComparison.Ordinal),
    };
}
