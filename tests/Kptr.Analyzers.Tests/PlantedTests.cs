namespace Kptr.Analyzers.Tests;

/// <summary>
/// Small faults, each with its mended twin: every fault is found where it is, and nothing in the twins.
/// </summary>
public class PlantedTests
{
    private const string Mark = "// <--";

    public static IEnumerable<object[]> Cases => Fault.All.Select(f => new object[] { f.Rule, f.Name });

    [Fact]
    public void Faults_AreSixtyAndMore_OverAllRules()
    {
        Fault.All.Count.Should().BeGreaterThanOrEqualTo(60);
        Fault.All.Select(f => f.Rule).Distinct().Should().BeEquivalentTo(
            Enumerable.Range(1, 10).Select(i => $"KPTR{i:000}"));
    }

    [Theory, MemberData(nameof(Cases))]
    public async Task Fault_IsFound_AndItsTwinIsNot(string rule, string name)
    {
        var fault = Fault.All.Single(f => f.Rule == rule && f.Name == name);
        var marked = Array.FindIndex(fault.Bad.Split('\n'), l => l.Contains(Mark, StringComparison.Ordinal));
        var found = await Snippet.FindingsAsync(fault.Bad);
        found.Select(d => $"{d.Id} in line {d.Location.GetLineSpan().StartLinePosition.Line - Snippet.LinesBefore}")
            .Should().Equal($"{rule} in line {marked}");
        (await Snippet.FindingsAsync(fault.Good)).Select(d => d.ToString()).Should().BeEmpty();
    }
}
