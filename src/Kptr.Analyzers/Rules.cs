using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers;

/// <summary>The diagnostics; <c>docs/analyzers.md</c> has a section for each.</summary>
internal static class Rules
{
    internal static readonly DiagnosticDescriptor NotReleased = Warning(
        "KPTR001", "A reference that some path neither releases nor moves",
        "The reference {0} is neither released nor moved on the way to line {1}");

    internal static readonly DiagnosticDescriptor UsedAfterMove = Warning(
        "KPTR002", "A reference that is used after it was released or moved",
        "The reference {0} was {1} on line {2}");

    internal static readonly DiagnosticDescriptor ExchangeDropped = Warning(
        "KPTR003", "What Exchange took out of a slot is dropped",
        "The slot may have held a reference, which nobody releases now: write '?.Release()'");

    internal static readonly DiagnosticDescriptor Copied = Warning(
        "KPTR004", "A copied slot or reference", "{0}");

    internal static readonly DiagnosticDescriptor OutsideReader = Warning(
        "KPTR005", "A look at a map value outside an RCU reader", "{0}");

    internal static readonly DiagnosticDescriptor ReaderLeftOpen = Warning(
        "KPTR006", "A reader that is left open", "The {0} of line {1} is still open {2}");

    internal static readonly DiagnosticDescriptor FlagsDisagree = Warning(
        "KPTR007", "A kfunc whose flags and signature disagree", "'{0}' {1}");

    internal static readonly DiagnosticDescriptor BadPrototype = Warning(
        "KPTR008", "A prototype that does not parse", "The prototype of '{0}' {1}");

    internal static readonly DiagnosticDescriptor NotOverridden = Warning(
        "KPTR009", "A map type that advertises what it does not override",
        "{0} needs '{1}', which '{2}' does not override");

    internal static readonly DiagnosticDescriptor NotDisposed = Warning(
        "KPTR010", "A kernel, object or link that nobody disposes of",
        "The {0} is not disposed of on the way to line {1}");

    private static DiagnosticDescriptor Warning(string id, string title, string message) =>
        new(id, title, message, "Kptr", DiagnosticSeverity.Warning, isEnabledByDefault: true,
            helpLinkUri: "docs/analyzers.md#" + id.ToLowerInvariant());
}
