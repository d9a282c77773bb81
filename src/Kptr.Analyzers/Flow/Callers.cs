using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers.Flow;

/// <summary>What can be said of who calls a function.</summary>
internal static class Callers
{
    private static readonly HashSet<string> s_testAttributes =
    [
        "FactAttribute", "TheoryAttribute", "PropertyAttribute", "TestAttribute", "TestCaseAttribute",
        "TestCaseSourceAttribute", "TestMethodAttribute", "DataTestMethodAttribute", "BenchmarkAttribute",
    ];

    /// <summary>Whether nobody outside can have opened a reader for it.</summary>
    internal static bool AreNone(Compilation compilation, BodyFacts facts, ISymbol function) =>
        facts.Reads(function) || facts.MakesKernel(function)
        || (function is IMethodSymbol method
            && (method.IsAsync || IsTest(method) || method is { Name: "Main" or "<Main>$", IsStatic: true }));

    /// <summary>Whether Kptr calls it inside a reader, or its caller hands it one.</summary>
    internal static bool AreReaders(KnownTypes known, ISymbol function) => function is IMethodSymbol method
        && ((method.IsOverride && KnownTypes.Inherits(method.ContainingType, known.BpfMap))
            || method.GetAttributes().Any(a => KnownTypes.Is(a.AttributeClass, known.Kfunc))
            || method.Parameters.Any(p => KnownTypes.Is(p.Type, known.RcuReadScope)));

    private static bool IsTest(IMethodSymbol method) =>
        method.GetAttributes().Any(a => a.AttributeClass is { } type && s_testAttributes.Contains(type.Name));
}
