using Kptr.Analyzers.Flow;
using Kptr.Analyzers.Kfuncs;
using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers;

/// <summary>What a method does to references, by its declaration; asked once for each method.</summary>
/// <param name="Gives">Whether the reference that it returns is the caller's.</param>
/// <param name="Takes">Which of its parameters it takes over, by ordinal.</param>
/// <param name="Returns">Whether it ever returns.</param>
internal sealed record MethodFacts(bool Gives, IReadOnlyCollection<int> Takes, bool Returns)
{
    internal static MethodFacts Of(KnownTypes known, IMethodSymbol method) =>
        known.Methods.GetOrAdd(method.OriginalDefinition, m => Read(known, m));

    private static MethodFacts Read(KnownTypes known, IMethodSymbol method)
    {
        var (flags, returns) = ((KfuncFlags)0, true);
        foreach (var attribute in method.GetAttributes())
        {
            if (KnownTypes.Is(attribute.AttributeClass, known.Kfunc) && attribute.ConstructorArguments.Length == 2
                && attribute.ConstructorArguments[1].Value is int declared)
            {
                flags |= (KfuncFlags)declared;
            }

            returns &= attribute.AttributeClass?.Name != "DoesNotReturnAttribute";
        }

        var takes = method.Parameters.Where(p => TakesOver(known, p, flags)).Select(p => p.Ordinal).ToList();
        return new(GivesReference(known, method, flags), takes, returns);
    }

    private static bool TakesOver(KnownTypes known, IParameterSymbol parameter, KfuncFlags flags) =>
        parameter.RefKind == RefKind.None
        && (((flags & KfuncFlags.Release) != 0 && known.IsReference(parameter.Type))
            || parameter.GetAttributes().Any(a => KnownTypes.Is(a.AttributeClass, known.TakesOwnership)));

    private static bool GivesReference(KnownTypes known, IMethodSymbol method, KfuncFlags flags) =>
        method.RefKind == RefKind.None && known.IsReference(method.ReturnType)
        && (known.IsOfLibrary(method) || (flags & KfuncFlags.Acquire) != 0
            || (SymbolEqualityComparer.Default.Equals(method.ContainingAssembly, known.Own) && Makers.IsOne(method)));
}
