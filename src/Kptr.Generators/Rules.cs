using Microsoft.CodeAnalysis;

namespace Kptr.Generators;

/// <summary>What the compiler says of a method that cannot be a kfunc.</summary>
internal static class Rules
{
    internal static readonly DiagnosticDescriptor NoPlaceInRegisters = Error(
        "KPTR011", "A kfunc's parameter or result has no place in registers",
        "'{0}': {1} of type '{2}' does not fit a register");

    internal static readonly DiagnosticDescriptor TooManyRegisters = Error(
        "KPTR012", "A kfunc takes more than five registers",
        "'{0}' takes {1} registers; a program has five for arguments");

    internal static readonly DiagnosticDescriptor NotCallable = Error(
        "KPTR013", "A kfunc cannot be called from the table made for its class",
        "'{0}' must be a static method without type parameters, it and its class (not generic) at least internal");

    private static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, "Kptr", DiagnosticSeverity.Error, isEnabledByDefault: true,
            helpLinkUri: "docs/analyzers.md#" + id.ToLowerInvariant());
}
