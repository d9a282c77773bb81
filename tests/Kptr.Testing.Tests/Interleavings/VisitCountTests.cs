using Kptr.Tests.Shared;

namespace Kptr.Testing.Tests.Schedules;

/// <summary>The race of docs/testing-your-map.md is found as its readers are told.</summary>
public class VisitCountTests
{
    [Fact]
    public void RaceOfThePage_IsFoundAndPrintedAsThePageShows()
    {
        var page = File.ReadAllText(Path.Combine(RepoRoot.Path, "docs", "testing-your-map.md"));
        var code = File.ReadAllText(Path.Combine(RepoRoot.Path, "tests", "Kptr.Testing.Tests", "VisitCount.cs"));
        page.Should().Contain($"```csharp\n{code}```");
        var report = Interleavings.Explore(
            () => new VisitCount(), [v => v.Add(7), v => v.Add(7)], v => Assert.Equal(2, v.Of(7)));
        page.Should().Contain(report.Columns!);
        page.Should().Contain($"Interleavings.Replay(\"{report.Schedule}\"");
    }

    /// <summary>Only copies are rewritten.</summary>
    [Fact]
    public void KptrAsShipped_HasNoHook() => typeof(KernelModel).Assembly.GetReferencedAssemblies()
        .Should().NotContain(a => a.Name == "Kptr.Testing");
}
