using Microsoft.CodeAnalysis.CSharp;

namespace Kptr.Analyzers.Tests;

/// <summary>Code that is being typed is seldom whole: the analyzers look at anything and throw at nothing.</summary>
public class BrokenCodeTests
{
    private const int Seed = 11;

    [Fact]
    public async Task Fault_WithTokensMissing_BreaksNoAnalyzer()
    {
        var random = new Random(Seed);
        foreach (var fault in Fault.All)
        {
            var tokens = CSharpSyntaxTree.ParseText(Snippet.Whole(fault.Bad)).GetRoot().DescendantTokens().ToList();
            var text = string.Concat(tokens.Where(_ => random.Next(25) != 0).Select(t => t.ToFullString()));
            await Compiled.FindingsAsync(Compiled.Of(text, Fault.Prelude));
        }
    }

    [Fact]
    public async Task DeepExpression_IsLookedAt()
    {
        var sum = string.Concat(Enumerable.Repeat(" + n", 2000));
        var found = await Snippet.FindingsAsync($$"""
            static int Deep(TaskStruct task, int n)
            {
                var mine = KernelRef.Own(task);
                return mine.Target.Pid{{sum}};
            }
            """);
        found.Should().BeEmpty("what is too deep to follow is let go");
    }

    [Fact]
    public async Task ManyPaths_AreLeftAlone()
    {
        var branches = string.Concat(Enumerable.Range(0, 40).Select(
            i => $"KernelRef<TaskStruct>? r{i} = flags[{i}] ? task.TryAcquire() : null;\n"));
        var found = await Snippet.FindingsAsync($"static void Many(TaskStruct task, bool[] flags)\n{{\n{branches}}}");
        found.Should().BeEmpty();
    }
}
