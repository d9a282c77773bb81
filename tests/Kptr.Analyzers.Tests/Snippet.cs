using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers.Tests;

/// <summary>Members of a class, with everything around them that they need.</summary>
internal static class Snippet
{
    /// <summary>Lines before the first of the members.</summary>
    internal const int LinesBefore = 5;

    internal static string Whole(string members) =>
        $"{Usings}\nnamespace Planted;\n\ninternal class Case\n{{\n{members}\n}}\n";

    /// <summary>Statements, types and members as they stand on a page.</summary>
    internal static string Statements(string text)
    {
        var lines = text.Split('\n');
        var usings = lines.Where(l => l.StartsWith("using ", StringComparison.Ordinal)
            && l.IndexOfAny(['(', '=']) < 0);
        return $"{Usings} using Planted; using static Shown.Around;\n{string.Join('\n', lines.Except(usings))}";
    }

    private static string Usings => Fault.Prelude[..Fault.Prelude.IndexOf("\nnamespace", StringComparison.Ordinal)]
        .Replace('\n', ' ');

    /// <summary>What the analyzers find in members that compile.</summary>
    internal static async Task<IReadOnlyList<Diagnostic>> FindingsAsync(string members)
    {
        var compilation = Compiled.Of(Whole(members), Fault.Prelude);
        compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Should().BeEmpty();
        return await Compiled.FindingsAsync(compilation);
    }
}
