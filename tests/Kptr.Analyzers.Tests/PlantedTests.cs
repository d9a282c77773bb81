using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers.Tests;

/// <summary>Small faults, each with its mended twin: every fault is found where it is, and nothing in the twins.</summary>
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
        var lines = fault.Bad.Split('\n');
        var marked = Array.FindIndex(lines, l => l.Contains(Mark, StringComparison.Ordinal));
        var found = await In(fault.Bad);
        found.Select(d => $"{d.Id} line {d.Location.GetLineSpan().StartLinePosition.Line - 4}: {d.GetMessage()}")
            .Should().ContainSingle().Which.Should().StartWith($"{rule} line {marked}:");
        (await In(fault.Good)).Select(d => d.ToString()).Should().BeEmpty();
    }

    private static async Task<IEnumerable<Diagnostic>> In(string members)
    {
        var usings = Fault.Prelude[..Fault.Prelude.IndexOf("namespace", StringComparison.Ordinal)]
            .Replace('\n', ' ');
        var compilation = Compiled.Of($"{usings}\nnamespace Planted;\n\ninternal class Case {{\n{members}\n}}",
            Fault.Prelude);
        compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Should().BeEmpty();
        return await Compiled.FindingsAsync(compilation);
    }
}
