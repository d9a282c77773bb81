using System.Diagnostics.CodeAnalysis;
using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>Ends a script where a rule is seen to be broken.</summary>
[SuppressMessage("Design", "CA1032", Justification = "never leaves the package")]
[SuppressMessage("Design", "CA1064", Justification = "never leaves the package")]
internal sealed class BrokenRuleException(ConformanceCheck rule, string expected, string found)
    : Exception($"{rule.Name}: expected {expected}, found {found}")
{
    internal ConformanceCheck Rule { get; } = rule;

    internal string Expected { get; } = expected;

    internal string Found { get; } = found;

    internal ConformanceFailure ToFailure(DestroyBehavior policy, int seed, IEnumerable<string> log) =>
        new(Rule, policy, seed, [.. log], Expected, Found);
}
