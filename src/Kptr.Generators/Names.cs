using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Kptr.Generators;

/// <summary>Kptr's types by name, and how symbols are written in generated code.</summary>
internal static class Names
{
    internal const string KfuncAttribute = "Kptr.Kfuncs.KfuncAttribute";
    internal const string KfuncSetAttribute = "Kptr.Kfuncs.KfuncSetAttribute";
    internal const string HelperAttribute = "Kptr.Kfuncs.HelperAttribute";
    internal const string ProgContext = "global::Kptr.Kfuncs.ProgContext";
    internal const string KernelCore = "global::Kptr.Objects.KernelCore";
    private const string KernelObject = "global::Kptr.Objects.KernelObject";
    private const string KernelRef = "global::Kptr.Objects.KernelRef<T>";
    private const string Kptr = "global::Kptr.Objects.Kptr<T>";
    private const string SpinLock = "global::Kptr.Maps.BpfSpinLock";

    internal static string Of(ITypeSymbol type) =>
        type.WithNullableAnnotation(NullableAnnotation.NotAnnotated).ToDisplayString(
            SymbolDisplayFormat.FullyQualifiedFormat);

    internal static string Escaped(string name) =>
        SyntaxFacts.GetKeywordKind(name) == SyntaxKind.None ? name : "@" + name;

    internal static bool IsAccessible(ISymbol symbol) => symbol.DeclaredAccessibility
        is Accessibility.Public or Accessibility.Internal or Accessibility.ProtectedOrInternal;

    internal static bool IsInteger(ITypeSymbol type) => type.SpecialType
        is SpecialType.System_UInt64 or SpecialType.System_Int64 or SpecialType.System_UInt32
            or SpecialType.System_Int32
        or SpecialType.System_UInt16 or SpecialType.System_Int16 or SpecialType.System_Byte or SpecialType.System_SByte;

    internal static bool IsCallerInfo(IParameterSymbol parameter) => parameter.HasExplicitDefaultValue
        && parameter.GetAttributes().Any(a => a.AttributeClass is
        {
            Name: "CallerFilePathAttribute" or "CallerLineNumberAttribute" or "CallerMemberNameAttribute",
            ContainingNamespace.Name: "CompilerServices",
        });

    /// <summary>Whether it is a special field by itself, whose inside nobody looks at.</summary>
    internal static bool IsSpecialField(ITypeSymbol type) => Of(type.OriginalDefinition) is Kptr or SpinLock;

    internal static bool IsKernelObject(ITypeSymbol type)
    {
        for (var at = type; at is not null; at = at.BaseType)
        {
            if (Of(at) == KernelObject)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The T of <c>KernelRef&lt;T&gt;</c> or its nullable form; null for any other type.</summary>
    internal static string? RefTarget(ITypeSymbol type, out bool isNullable)
    {
        isNullable = type.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T;
        var bare = isNullable ? ((INamedTypeSymbol)type).TypeArguments[0] : type;
        return bare is INamedTypeSymbol { IsGenericType: true } named && Of(named.OriginalDefinition) == KernelRef
            ? Of(named.TypeArguments[0]) : null;
    }
}
