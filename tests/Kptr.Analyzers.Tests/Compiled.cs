using System.Collections.Immutable;
using Kptr.Analyzers.Flow;
using Kptr.Analyzers.Kfuncs;
using Kptr.Analyzers.Maps;
using Kptr.Analyzers.Slots;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Kptr.Analyzers.Tests;

/// <summary>C# that uses Kptr, compiled in memory, and what the analyzers say of it.</summary>
internal static class Compiled
{
    internal static MetadataReference[] References { get; } =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    internal static ImmutableArray<DiagnosticAnalyzer> Analyzers { get; } =
        [new OwnershipAnalyzer(), new SlotCopyAnalyzer(), new KfuncAnalyzer(), new MapTypeAnalyzer()];

    internal static CSharpParseOptions Options { get; } = new(LanguageVersion.Preview);

    internal static CSharpCompilation Of(params string[] sources) => Of(sources, OutputKind.DynamicallyLinkedLibrary);

    internal static CSharpCompilation Of(IEnumerable<string> sources, OutputKind kind) => CSharpCompilation.Create(
        "Planted",
        sources.Select((s, i) => CSharpSyntaxTree.ParseText(s, Options, path: $"{i}.cs")),
        References,
        new(kind, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable));

    /// <summary>What the analyzers find; an analyzer that throws fails the test.</summary>
    internal static async Task<ImmutableArray<Diagnostic>> FindingsAsync(Compilation compilation)
    {
        var found = await compilation.WithAnalyzers(Analyzers, new CompilationWithAnalyzersOptions(
            new([]), onAnalyzerException: null, concurrentAnalysis: false, logAnalyzerExecutionTime: false))
            .GetAnalyzerDiagnosticsAsync();
        found.Where(d => d.Id == "AD0001").Should().BeEmpty("no analyzer throws");
        return [.. found.OrderBy(d => d.Location.SourceTree?.FilePath).ThenBy(d => d.Location.SourceSpan.Start)];
    }
}
