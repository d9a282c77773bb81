using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Kptr.Generators;

/// <summary>Writes an attribute again, as an expression.</summary>
internal static class KfuncRow
{
    private const string HooksName = "Hooks";

    /// <summary>A kfunc attribute with its hooks settled: its own, or else those of the class.</summary>
    internal static string Of(AttributeData attribute, INamedTypeSymbol declaring)
    {
        var named = attribute.NamedArguments
            .Where(a => a.Key != HooksName)
            .Select(a => $"{a.Key} = {Constant(a.Value)}");
        if (HooksOf(attribute, declaring) is { } hooks)
        {
            named = named.Append($"{HooksName} = {hooks}");
        }

        var given = string.Join(", ", attribute.ConstructorArguments.Select(Constant));
        return $"new global::{Names.KfuncAttribute}({given}) {{ {string.Join(", ", named)} }}";
    }

    /// <summary>The numbers of a helper attribute.</summary>
    internal static IEnumerable<string> HelperIds(AttributeData attribute) =>
        attribute.ConstructorArguments.SelectMany(a => a.Values).Select(Constant);

    private static string? HooksOf(AttributeData attribute, INamedTypeSymbol declaring)
    {
        var own = attribute.NamedArguments.FirstOrDefault(a => a.Key == HooksName).Value;
        if (own is { IsNull: false, Value: not 0 })
        {
            return Constant(own);
        }

        var set = declaring.GetAttributes().FirstOrDefault(
            a => a.AttributeClass?.ToDisplayString() == Names.KfuncSetAttribute);
        return set is null ? null : Constant(set.ConstructorArguments[0]);
    }

    private static string Constant(TypedConstant constant) => constant switch
    {
        { IsNull: true } => "null",
        { Kind: TypedConstantKind.Enum } => $"({Names.Of(constant.Type!)})({constant.Value})",
        _ => SymbolDisplay.FormatPrimitive(constant.Value!, quoteStrings: true, useHexadecimalNumbers: false)!,
    };
}
