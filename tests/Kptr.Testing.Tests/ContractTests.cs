using System.Text.RegularExpressions;
using Kptr.Tests.Shared;

namespace Kptr.Testing.Tests;

/// <summary>The contracts in docs name checks that exist, and leave none out.</summary>
public class ContractTests
{
    private const int RulesMin = 20;

    [Fact]
    public void WritingAnObject_NamesEveryCheckOfObjectsAndKfuncs_AndNoOther()
    {
        var named = Groups("writing-an-object.md").SelectMany(g => Regex.Matches(g, @"(object|kfunc): ([^;]*)"))
            .SelectMany(m => Names(m.Groups[2].Value).Select(name => $"{m.Groups[1].Value} {name}")).Distinct();
        named.Should().BeEquivalentTo(
            ObjectConformance.Checks.Select(c => $"object {c.Name}")
                .Concat(KfuncConformance.Checks.Select(c => $"kfunc {c.Name}")));
    }

    [Fact]
    public void WritingAMap_NamesChecksThatExist() =>
        MapConformance.Checks.Select(c => c.Name).Should().Contain(
            Groups("writing-a-map.md").SelectMany(Names).Where(name => !name.Contains('.', StringComparison.Ordinal)));

    [Theory]
    [InlineData("writing-an-object.md")]
    [InlineData("writing-a-map.md")]
    public void Contract_HasRulesWithChecks(string page) => Groups(page).Should().HaveCountGreaterThan(RulesMin);

    [Fact]
    public void EveryCheck_SaysInAParagraphWhyItExists() =>
        MapConformance.Checks.Concat(ObjectConformance.Checks).Concat(KfuncConformance.Checks).Should().OnlyContain(
            c => c.Rule.Length > 10 && c.Why.Length > 100 && !c.Why.Contains("\n\n", StringComparison.Ordinal));

    // "*(`Threads`, `SlotsApart`)*" behind a rule.
    private static List<string> Groups(string page) =>
        [.. Regex.Matches(File.ReadAllText(Path.Combine(RepoRoot.Path, "docs", page)), @"\*\(([^*]*)\)\*")
            .Select(m => m.Groups[1].Value)];

    private static IEnumerable<string> Names(string group) =>
        Regex.Matches(group, @"`([\w.]+)`").Select(m => m.Groups[1].Value);
}
