using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Holds a map type against what every map owes its kernel.</summary>
/// <remarks>
/// <para>
/// <see cref="Check"/> runs all checks, or those that <see cref="ConformanceOptions.Only"/> names, and throws with a
/// report where a rule is broken. Most checks play random scripts on the map and on a plain dictionary, under both
/// destroy policies; the script that shows a fault is shrunk before it is reported. The same seed tries the same.
/// </para>
/// <para>
/// A small capacity is best, 4 to 16: scripts fill maps of up to 64 elements. References are followed for kptrs to
/// tasks and cgroups; values of other kinds are checked for everything but these.
/// </para>
/// </remarks>
public static class MapConformance
{
    private const int ShrinkRunsMax = 400;

    /// <summary>All checks, in the order they run.</summary>
    public static IReadOnlyList<ConformanceCheck> Checks => Rules.All;

    /// <summary>Runs the checks and throws where a rule is broken.</summary>
    /// <param name="factory">Makes a new map of the type; called many times, for many kernels.</param>
    /// <param name="capabilities">What the type says of itself.</param>
    /// <param name="options">How much is tried.</param>
    /// <returns>What passed, and what could not be asked.</returns>
    /// <exception cref="MapConformanceException">A rule is broken; the message says which and how.</exception>
    public static ConformanceReport Check(
        Func<KernelCore, BpfMap> factory, MapCapabilities capabilities, ConformanceOptions? options = null)
    {
        var report = Run(factory, capabilities, options);
        return report.IsConformant ? report : throw new MapConformanceException(report);
    }

    /// <summary>As <see cref="Check"/>, without throwing.</summary>
    /// <inheritdoc cref="Check"/>
    [SuppressMessage("Naming", "CA1716", Justification = "it runs the checks")]
    public static ConformanceReport Run(
        Func<KernelCore, BpfMap> factory, MapCapabilities capabilities, ConformanceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentNullException.ThrowIfNull(capabilities);
        options ??= new();
        var checks = Chosen(options);
        var passed = new List<ConformanceCheck>();
        var failures = new List<ConformanceFailure>();
        var skipped = new List<(ConformanceCheck, string)>();
        var bench = new Bench(factory, capabilities, options);
        foreach (var check in checks)
        {
            if (failures.Any(f => f.Check == Rules.Ends))
            {
                skipped.Add((check, "a check before it hangs, and what it waits for cannot be taken away"));
                continue;
            }

            if (bench.ReasonToSkip(check) is { } reason)
            {
                skipped.Add((check, reason));
                continue;
            }

            var found = new List<ConformanceFailure>();
            foreach (var policy in options.Policies)
            {
                if (found.All(f => f.Check != Rules.Ends) && bench.Run(check, policy) is { } failure)
                {
                    found.Add(failure);
                }
            }

            failures.AddRange(found);
            if (found.Count == 0)
            {
                passed.Add(check);
            }
        }

        return new(passed, failures, skipped);
    }

    private static List<ConformanceCheck> Chosen(ConformanceOptions options)
    {
        var unknown = options.Only.FirstOrDefault(name => Checks.All(c => c.Name != name));
        return unknown is null
            ? [.. Checks.Where(c => options.Only.Count == 0 || options.Only.Contains(c.Name))]
            : throw new ArgumentException(
                $"no check is called \"{unknown}\"; there are {string.Join(", ", Checks.Select(c => c.Name))}",
                nameof(options));
    }

    /// <summary>Runs single checks of one map type.</summary>
    private sealed class Bench(
        Func<KernelCore, BpfMap> factory, MapCapabilities can, ConformanceOptions options)
    {
        // For each script that was played: the rules it saw broken.
        private readonly Dictionary<DestroyBehavior, List<List<ConformanceCheck>>> _rulesBroken = [];

        internal string? ReasonToSkip(ConformanceCheck check)
        {
            using var kernel = Kernels.Boot(DestroyBehavior.Eager);
            using var map = factory(kernel);
            var shape = new MapShape(map);
            return check switch
            {
                _ when (check == Rules.DestroyOnDelete || check == Rules.StaleKeys) && !can.CanDelete
                    && can.WhenFull != WhenFull.Evict => "nothing is ever deleted",
                _ when IsAboutObjects(check) && shape.KptrOffsets.IsEmpty =>
                    "its values have no kptr to a task or cgroup",
                _ when check == Rules.Opaque && !shape.HasSpecials => "its values have no special fields",
                _ when check == Rules.Iteration && !can.CanIterate && !can.CanVisit => "it has no walk",
                _ when check == Rules.ReaderSafety && can.KeptFor == GracePeriods.None =>
                    "it promises readers nothing (KeptFor)",
                _ when (check == Rules.Threads || check == Rules.FreeDuringUse) && !can.IsThreadSafe =>
                    "it is for one thread (IsThreadSafe)",
                _ when check == Rules.Threads && can.Keys == MapKeys.Index => "its elements neither come nor go",
                _ => null,
            };
        }

        internal ConformanceFailure? Run(ConformanceCheck check, DestroyBehavior policy)
        {
            var watch = new Watch();
            ConformanceFailure? found = null;
            ExceptionDispatchInfo? thrown = null;
            var thread = new Thread(() =>
            {
                try
                {
                    found = RunHere(check, policy, watch);
                }
                catch (Exception e)
                {
                    thrown = ExceptionDispatchInfo.Capture(e);
                }
            })
            {
                IsBackground = true,
            };
            thread.Start();
            if (!watch.WaitFor(thread, options.HangAfter))
            {
                return new(Rules.Ends, policy, options.Seed, watch.Log, "every operation ends",
                    $"in {check.Name}, nothing has moved for {options.HangAfter.TotalSeconds:0} s");
            }

            thrown?.Throw();
            return found;
        }

        private ConformanceFailure? RunHere(ConformanceCheck check, DestroyBehavior policy, Watch watch)
        {
            if (check == Rules.ReaderSafety)
            {
                return new ReaderCheck(factory, can, policy, options, watch).Run();
            }

            if (check == Rules.Threads || check == Rules.FreeDuringUse)
            {
                return new ThreadCheck(factory, can, policy, options, watch).Run(check);
            }

            if (check == Rules.Ends && can.IsThreadSafe)
            {
                _ = new ThreadCheck(factory, can, policy, options, watch).Run(check);
            }

            return RunScripts(check, policy, watch);
        }

        private static bool IsAboutObjects(ConformanceCheck check) =>
            check == Rules.DestroyOnOverwrite || check == Rules.DestroyOnDelete || check == Rules.DestroyAtMapFree
            || check == Rules.DestroyOnce || check == Rules.Conservation;

        // The checks share the scripts: each is played once, and counts for the checks whose rules it breaks.
        private ConformanceFailure? RunScripts(ConformanceCheck check, DestroyBehavior policy, Watch watch)
        {
            using var desk = new Desk(factory, can, policy, watch);
            if (!_rulesBroken.TryGetValue(policy, out var broken))
            {
                _rulesBroken[policy] = broken = [];
            }

            for (var i = 0; i < options.Scripts; i++)
            {
                if (i == broken.Count)
                {
                    broken.Add([.. desk.Play(ScriptOf(SeedOf(i), desk.Shape)).Select(b => b.Rule)]);
                }

                if (broken[i].Contains(check))
                {
                    return Shrink(desk, check, policy, SeedOf(i), ScriptOf(SeedOf(i), desk.Shape));
                }
            }

            return null;
        }

        private int SeedOf(int script) => unchecked((options.Seed * 7919) + script);

        private IReadOnlyList<Step> ScriptOf(int seed, MapShape shape) =>
            ScriptMaker.Make(new Random(seed), can, shape, options.StepsMax);

        private static ConformanceFailure Shrink(
            Desk desk, ConformanceCheck check, DestroyBehavior policy, int seed, IReadOnlyList<Step> script)
        {
            var runs = 0;
            bool IsAsBroken(List<Step> other) => ++runs <= ShrinkRunsMax && BreachOf(other) is not null;
            BrokenRuleException? BreachOf(List<Step> other) => desk.Play(other).FirstOrDefault(b => b.Rule == check);
            var best = script.ToList();
            for (var size = Math.Max(1, script.Count / 2); size >= 1; size /= 2)
            {
                for (var at = 0; at < best.Count;)
                {
                    List<Step> fewer = [.. best.Take(at), .. best.Skip(at + size)];
                    if (IsAsBroken(fewer))
                    {
                        best = fewer;
                    }
                    else
                    {
                        at += size;
                    }
                }
            }

            for (var at = 0; at < best.Count; at++)
            {
                foreach (var simpler in best[at].Simpler())
                {
                    List<Step> other = [.. best[..at], simpler, .. best[(at + 1)..]];
                    if (simpler != best[at] && IsAsBroken(other))
                    {
                        best = other;
                    }
                }
            }

            var broken = BreachOf(best);
            return new(check, policy, seed, desk.Log, broken?.Expected ?? "the same each time",
                broken?.Found ?? "a script that shows it only sometimes");
        }
    }
}
