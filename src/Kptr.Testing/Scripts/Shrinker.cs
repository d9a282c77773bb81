namespace Kptr.Testing.Scripts;

/// <summary>Makes a script that shows a fault as short and as plain as it can be.</summary>
internal static class Shrinker
{
    private const int RunsMax = 400;

    /// <summary>Leaves out steps, in halves, quarters and one by one, then makes those that stay plainer.</summary>
    /// <param name="script">What shows the fault.</param>
    /// <param name="simpler">Steps that are easier to think about than one.</param>
    /// <param name="isAsBroken">Whether another script shows the same.</param>
    internal static List<TStep> Shrink<TStep>(
        IReadOnlyList<TStep> script, Func<TStep, IEnumerable<TStep>> simpler, Func<List<TStep>, bool> isAsBroken)
        where TStep : notnull
    {
        var runs = 0;
        bool Try(List<TStep> other) => ++runs <= RunsMax && isAsBroken(other);
        var best = script.ToList();
        for (var size = Math.Max(1, script.Count / 2); size >= 1; size /= 2)
        {
            for (var at = 0; at < best.Count;)
            {
                List<TStep> fewer = [.. best.Take(at), .. best.Skip(at + size)];
                if (Try(fewer))
                {
                    best = fewer;
                }
                else
                {
                    at += size;
                }
            }
        }

        for (var at = 0; at < best.Count;)
        {
            var plainer = simpler(best[at]).Where(s => !s.Equals(best[at]))
                .Select(s => (List<TStep>)[.. best[..at], s, .. best[(at + 1)..]]).FirstOrDefault(Try);
            at += plainer is null ? 1 : 0;
            best = plainer ?? best;
        }

        return best;
    }
}
