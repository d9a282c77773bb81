using Kptr.Specs;

namespace Kptr.Testing.Scripts;

/// <summary>One operation of a script.</summary>
internal interface IStep<TSelf>
{
    /// <summary>Steps that are easier to think about, to be tried one after the other.</summary>
    IEnumerable<TSelf> Simpler();
}

/// <summary>Makes scripts and plays them, in one kernel as long as nothing is broken.</summary>
internal abstract class Desk<TStep> : IDisposable
{
    /// <summary>The steps of the last script, with what came of them.</summary>
    internal IReadOnlyList<string> Log { get; private protected set; } = [];

    /// <summary>The script of a seed.</summary>
    internal abstract IReadOnlyList<TStep> ScriptOf(int seed);

    /// <summary>Plays a script; which rules it saw broken.</summary>
    internal abstract IReadOnlyList<BrokenRuleException> Play(IReadOnlyList<TStep> script);

    public abstract void Dispose();
}

/// <summary>Runs checks that random scripts find: each script is played once, and counts for all of them.</summary>
internal abstract class ScriptBench<TStep>(ConformanceOptions options) : IBench
    where TStep : IStep<TStep>
{
    // For each script that was played: the rules it saw broken.
    private readonly Dictionary<DestroyBehavior, List<List<ConformanceCheck>>> _rulesBroken = [];

    protected ConformanceOptions Options => options;

    public abstract string? ReasonToSkip(ConformanceCheck check);

    public abstract ConformanceFailure? Run(ConformanceCheck check, DestroyBehavior policy, Watch watch);

    protected abstract Desk<TStep> NewDesk(DestroyBehavior policy, Watch watch);

    protected ConformanceFailure? RunScripts(ConformanceCheck check, DestroyBehavior policy, Watch watch)
    {
        if (!_rulesBroken.TryGetValue(policy, out var broken))
        {
            _rulesBroken[policy] = broken = [];
        }

        Desk<TStep>? desk = null;
        try
        {
            for (var i = 0; i < options.Scripts; i++)
            {
                if (i == broken.Count)
                {
                    desk ??= NewDesk(policy, watch);
                    broken.Add([.. desk.Play(desk.ScriptOf(SeedOf(i))).Select(b => b.Rule)]);
                }

                if (broken[i].Contains(check))
                {
                    return Shrink(desk ?? (desk = NewDesk(policy, watch)), check, policy, SeedOf(i));
                }
            }

            return null;
        }
        finally
        {
            desk?.Dispose();
        }
    }

    private int SeedOf(int script) => unchecked((options.Seed * 7919) + script);

    private static ConformanceFailure Shrink(
        Desk<TStep> desk, ConformanceCheck check, DestroyBehavior policy, int seed)
    {
        BrokenRuleException? BreachOf(List<TStep> other) => desk.Play(other).FirstOrDefault(b => b.Rule == check);
        var best = Shrinker.Shrink(desk.ScriptOf(seed), s => s.Simpler(), other => BreachOf(other) is not null);
        var broken = BreachOf(best);
        return new(check, policy, seed, desk.Log, broken?.Expected ?? "the same each time",
            broken?.Found ?? "a script that shows it only sometimes");
    }
}
