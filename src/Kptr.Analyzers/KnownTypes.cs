using System.Collections.Concurrent;
using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers;

/// <summary>Kptr's types in one compilation.</summary>
internal sealed class KnownTypes
{
    private KnownTypes(Compilation compilation, INamedTypeSymbol kernelRef)
    {
        INamedTypeSymbol? Find(string name) => compilation.GetTypeByMetadataName("Kptr." + name);

        KernelRef = kernelRef;
        Library = kernelRef.ContainingAssembly;
        Own = compilation.Assembly;
        Slot = Find("Objects.Kptr`1");
        KernelObject = Find("Objects.KernelObject");
        KernelCore = Find("Objects.KernelCore");
        RcuDomain = Find("Objects.RcuDomain");
        RcuReadScope = Find("Objects.RcuReadScope");
        ProgramScope = Find("Objects.ProgramScope");
        TakesOwnership = Find("Objects.TakesOwnershipAttribute");
        BpfObject = Find("BpfObject");
        BpfLink = Find("BpfLink");
        BpfProgram = Find("BpfProgram");
        MapType = Find("MapType");
        Kfunc = Find("Kfuncs.KfuncAttribute");
        ProgContext = Find("Kfuncs.ProgContext");
        KfuncSpec = Find("Specs.KfuncSpec");
        MapTypeSpec = Find("Specs.MapTypeSpec");
        BpfMap = Find("Maps.BpfMap");
        MapExtensions = Find("Maps.BpfMapExtensions");
        ArrayMap = Find("Maps.ArrayMap");
        Capabilities = Find("Testing.MapCapabilities");
        Conformance = Find("Testing.MapConformance");
    }

    /// <summary>The assembly that has Kptr's API.</summary>
    internal IAssemblySymbol Library { get; }

    /// <summary>The assembly that is compiled.</summary>
    internal IAssemblySymbol Own { get; }

    internal INamedTypeSymbol KernelRef { get; }

    internal INamedTypeSymbol? Slot { get; }

    internal INamedTypeSymbol? KernelObject { get; }

    internal INamedTypeSymbol? KernelCore { get; }

    internal INamedTypeSymbol? RcuDomain { get; }

    internal INamedTypeSymbol? RcuReadScope { get; }

    internal INamedTypeSymbol? ProgramScope { get; }

    internal INamedTypeSymbol? TakesOwnership { get; }

    internal INamedTypeSymbol? BpfObject { get; }

    internal INamedTypeSymbol? BpfLink { get; }

    internal INamedTypeSymbol? BpfProgram { get; }

    internal INamedTypeSymbol? MapType { get; }

    internal INamedTypeSymbol? Kfunc { get; }

    internal INamedTypeSymbol? ProgContext { get; }

    internal INamedTypeSymbol? KfuncSpec { get; }

    internal INamedTypeSymbol? MapTypeSpec { get; }

    internal INamedTypeSymbol? BpfMap { get; }

    internal INamedTypeSymbol? MapExtensions { get; }

    internal INamedTypeSymbol? ArrayMap { get; }

    internal INamedTypeSymbol? Capabilities { get; }

    internal INamedTypeSymbol? Conformance { get; }

    /// <summary>What is known of methods that were called.</summary>
    internal ConcurrentDictionary<IMethodSymbol, MethodFacts> Methods { get; } = new(SymbolEqualityComparer.Default);

    /// <summary>Null where the compilation does not use Kptr.</summary>
    internal static KnownTypes? Of(Compilation compilation) =>
        compilation.GetTypeByMetadataName("Kptr.Objects.KernelRef`1") is { } kernelRef
            ? new(compilation, kernelRef) : null;

    internal static bool Is(ISymbol? symbol, ISymbol? known) =>
        known is not null && SymbolEqualityComparer.Default.Equals(symbol?.OriginalDefinition, known);

    internal static bool Inherits(ITypeSymbol? type, INamedTypeSymbol? known)
    {
        for (var at = type; at is not null; at = at.BaseType)
        {
            if (Is(at, known))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether it is <c>KernelRef&lt;T&gt;</c> or its nullable form.</summary>
    internal bool IsReference(ITypeSymbol? type) => Is(Bare(type), KernelRef);

    internal bool IsOfLibrary(ISymbol symbol) =>
        SymbolEqualityComparer.Default.Equals(symbol.ContainingAssembly, Library);

    /// <summary>The type itself, or what it is the nullable form of.</summary>
    internal static ITypeSymbol? Bare(ITypeSymbol? type) =>
        type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable
            ? nullable.TypeArguments[0] : type;
}
