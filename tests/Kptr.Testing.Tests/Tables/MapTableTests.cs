using System.Collections.Concurrent;
using Kptr.Tests.Shared;

namespace Kptr.Testing.Tests.Tables;

/// <summary>
/// Map type × operation × flags × fields × context × policy: Kptr's own maps answer as Linux does.
/// <c>KPTR_SWEEP=all</c> tries all cells, otherwise one in ten is tried.
/// </summary>
public class MapTableTests
{
    private const int QuickOneIn = 10;
    private const int TriedMin = 300;
    private static readonly ConcurrentDictionary<string, Lazy<ConformanceReport>> Done = new();

    public static TheoryData<string> Names => [.. OwnMaps.All.Keys];

    [Theory, MemberData(nameof(Names))]
    public void EveryCell_AnswersAsLinux(string name)
    {
        var report = ReportOf(name);
        report.IsConformant.Should().BeTrue(report.ToString());
        report.Cells.Count(c => c.IsTried).Should().BeGreaterThan(TriedMin);
    }

    /// <summary>
    /// Keeps <c>docs/map-sweep.md</c> what Kptr's maps are held against. <c>KPTR_UPDATE_DOCS=1</c> writes it anew.
    /// </summary>
    [Fact]
    public void Table_InTheDocs_IsWhatIsChecked()
    {
        var file = Path.Combine(RepoRoot.Path, "docs", "map-sweep.md");
        var table = TableReport.Write(OwnMaps.All.Keys.ToDictionary(n => n, n => ReportOf(n).Cells));
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(file, table);
        }

        File.ReadAllText(file).Should().Be(table, "KPTR_UPDATE_DOCS=1 dotnet test writes it anew");
    }

    private static ConformanceReport ReportOf(string name) => Done.GetOrAdd(
        name, n => new(() => OwnMaps.All[n].Sweep(NightlyOption.SweepOneIn(QuickOneIn)))).Value;
}
