using Kptr.Specs;

namespace Kptr.Testing.Programs;

/// <summary>A script that was played in a kernel.</summary>
internal sealed record PlayedScript(
    KernelChoice Kernel, BrokenRuleException? Broken, IReadOnlyList<string> Log, IReadOnlyList<Moment> Moments,
    IEnumerable<string> Remarks, IEnumerable<string> Ran);

/// <summary>Where two kernels that differ in their destroy policy gave different answers to one script.</summary>
/// <param name="Script">The steps up to there.</param>
/// <param name="Expected">What the check asks for.</param>
/// <param name="Found">What was different, and since when the maps held different objects.</param>
internal sealed record PolicyDifference(IReadOnlyList<string> Script, string Expected, string Found)
{
    internal static PolicyDifference? Find(PlayedScript first, PlayedScript second)
    {
        var (one, other) = ($"{first.Kernel.Policy}", $"{second.Kernel.Policy}");
        for (var i = 0; i < Math.Min(first.Moments.Count, second.Moments.Count); i++)
        {
            if (Moment.Difference(first.Moments[i], one, second.Moments[i], other) is { } difference)
            {
                return new(
                    [.. first.Log.Take(i), $"{first.Log[i]} under {one}", $"{second.Log[i]} under {other}"],
                    "the same answers whatever a recycled slot holds",
                    $"at step {i + 1}, {difference}{CauseBefore(first, second, i)}");
            }
        }

        return null;
    }

    /// <summary>Says where live elements held different objects; null where they never did.</summary>
    internal static string? Remark(PlayedScript first, PlayedScript second) =>
        FirstKept(first, second, first.Moments.Count - 1) is var (_, _, map)
            ? $"{map}: under policy {DestroyBehavior.Recycle} a recycled slot brings back an old kptr"
            : null;

    internal ProgramTestFailure ToFailure(string kernels, int seed) =>
        new(ProgRules.SamePolicies, [kernels], seed, Script, Expected, Found);

    private static string CauseBefore(PlayedScript first, PlayedScript second, int step)
    {
        if (FirstKept(first, second, step) is var (at, what, _))
        {
            return $"; a recycled slot returns the old kptr at step {at + 1}: {what}";
        }

        var recycled = new[] { first, second }.SelectMany(p => p.Moments.Take(step).TakeLast(1))
            .SelectMany(m => m.Recycled).Select(r => $"{r.Key} held {r.Value}").ToList();
        return recycled.Count == 0 ? ""
            : $"; a recycled slot may have returned an old kptr there: before it, {string.Join("; ", recycled)}";
    }

    private static (int Step, string What, string Map)? FirstKept(PlayedScript first, PlayedScript second, int last)
    {
        var (one, other) = ($"{first.Kernel.Policy}", $"{second.Kernel.Policy}");
        for (var i = 0; i <= last && i < second.Moments.Count; i++)
        {
            if (Moment.DifferenceOfKept(first.Moments[i], one, second.Moments[i], other) is { } what)
            {
                return (i, what, what.Split(", key")[0]);
            }
        }

        return null;
    }
}
