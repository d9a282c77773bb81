using Kptr.Maps;
using Kptr.Tests.Shared;

namespace Kptr.Testing.Tests;

/// <summary>The map of docs/testing-your-map.md fails as its readers are told.</summary>
public class PidMapTests
{
    private static string Page => File.ReadAllText(Path.Combine(RepoRoot.Path, "docs", "testing-your-map.md"));

    [Fact]
    public void MapOfThePage_FailsInTheCheckThatThePageNames()
    {
        var can = MapCapabilities.Hash with { CanIterate = false, CanVisit = false, KeptFor = GracePeriods.Both };
        var report = MapConformance.Run(core => new PidMap(core, 4), can, new() { Scripts = 200 });
        var names = report.Failures.Select(f => f.Check.Name).Distinct();
        Page.Should().Contain($"`dotnet test` fails, in {string.Join(" and ", names.Select(n => $"`{n}`"))}");
        var failure = report.Failures[0];
        Page.Should().Contain(failure.ToString().Split("expected:")[0], "the page shows how the report begins");
        failure.Script.Should().HaveCount(4);
        failure.Script[1].Should().Contain("store task A under key 0");
        failure.Script[2].Should().Contain("update key 0");
    }
}
