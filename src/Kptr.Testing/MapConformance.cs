using System.Diagnostics.CodeAnalysis;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Cells;
using Kptr.Testing.Keyless;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Holds a map type against what every map owes its kernel.</summary>
/// <remarks>
/// <para>
/// <c>Check</c> runs all checks, or those that <see cref="ConformanceOptions.Only"/> names, and throws with a
/// report where a rule is broken. Most checks play random scripts on the map and on a plain dictionary, under both
/// destroy policies; the script that shows a fault is shrunk before it is reported. The same seed tries the same.
/// </para>
/// <para>
/// A small capacity is best, 4 to 16: scripts fill maps of up to 64 elements. References are followed for kptrs to
/// tasks, cgroups and cpumasks, one value a key or one per CPU; values of other kinds are checked for everything but
/// these.
/// </para>
/// </remarks>
public static class MapConformance
{
    /// <summary>All checks, in the order they run.</summary>
    public static IReadOnlyList<ConformanceCheck> Checks => Rules.All;

    /// <summary>Runs the checks and throws where a rule is broken.</summary>
    /// <param name="factory">Makes a new map of the type; called many times, for many kernels.</param>
    /// <param name="capabilities">What the type says of itself.</param>
    /// <param name="options">How much is tried.</param>
    /// <returns>What passed, and what could not be asked.</returns>
    /// <exception cref="ConformanceException">A rule is broken; the message says which and how.</exception>
    /// <exception cref="InvalidOperationException">The factory returned null, or a map of another kernel.</exception>
    /// <exception cref="ArgumentException">The options name a check that there is not, or try nothing, or the map has
    /// keys of another size than the capabilities say.</exception>
    public static ConformanceReport Check(
        Func<KernelCore, BpfMap> factory, MapCapabilities capabilities, ConformanceOptions? options = null)
    {
        var report = Run(factory, capabilities, options);
        return report.IsConformant ? report : throw new ConformanceException(report);
    }

    /// <summary>
    /// As <see cref="Check(Func{KernelCore, BpfMap}, MapCapabilities, ConformanceOptions?)"/>, without throwing.
    /// </summary>
    /// <inheritdoc cref="Check(Func{KernelCore, BpfMap}, MapCapabilities, ConformanceOptions?)"/>
    [SuppressMessage("Naming", "CA1716", Justification = "it runs the checks")]
    public static ConformanceReport Run(
        Func<KernelCore, BpfMap> factory, MapCapabilities capabilities, ConformanceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(factory);
        return Run(new MapSource(factory), capabilities, options);
    }

    /// <summary>
    /// As the other <see cref="Check(Func{KernelCore, BpfMap}, MapCapabilities, ConformanceOptions?)"/>, of a type
    /// whose maps are made from blueprints: the table of answers is tried with values of every kind.
    /// </summary>
    /// <param name="spec">The blueprint that all other checks use.</param>
    /// <param name="make">Makes a new map of a blueprint: of that one, or of one with other values.</param>
    /// <param name="capabilities">What the type says of itself.</param>
    /// <param name="options">How much is tried.</param>
    /// <inheritdoc cref="Check(Func{KernelCore, BpfMap}, MapCapabilities, ConformanceOptions?)"/>
    public static ConformanceReport Check(
        Func<KernelCore, MapSpec> spec, Func<KernelCore, MapSpec, BpfMap> make, MapCapabilities capabilities,
        ConformanceOptions? options = null)
    {
        var report = Run(spec, make, capabilities, options);
        return report.IsConformant ? report : throw new ConformanceException(report);
    }

    /// <summary>As <see cref="Check(Func{KernelCore, MapSpec}, Func{KernelCore, MapSpec, BpfMap}, MapCapabilities,
    /// ConformanceOptions?)"/>, without throwing.</summary>
    /// <inheritdoc cref="Check(Func{KernelCore, MapSpec}, Func{KernelCore, MapSpec, BpfMap}, MapCapabilities,
    /// ConformanceOptions?)"/>
    [SuppressMessage("Naming", "CA1716", Justification = "it runs the checks")]
    public static ConformanceReport Run(
        Func<KernelCore, MapSpec> spec, Func<KernelCore, MapSpec, BpfMap> make, MapCapabilities capabilities,
        ConformanceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(make);
        return Run(new MapSource(spec, make), capabilities, options);
    }

    private static ConformanceReport Run(MapSource source, MapCapabilities capabilities, ConformanceOptions? options)
    {
        ArgumentNullException.ThrowIfNull(capabilities);
        options ??= new();
        if (capabilities.Keys == MapKeys.None)
        {
            return ConformanceRunner.Run(
                Checks, Rules.Ends, options, new KeylessBench(source.Make, capabilities, options));
        }

        var bench = new Bench(source, capabilities, options);
        return ConformanceRunner.Run(Checks, Rules.Ends, options, bench) with { Cells = bench.Cells };
    }

    /// <summary>Runs single checks of one map type.</summary>
    private sealed class Bench(
        MapSource source, MapCapabilities can, ConformanceOptions options) : ScriptBench<Step>(options)
    {
        private readonly Func<KernelCore, BpfMap> _factory = source.Make;

        internal List<MapCell> Cells { get; } = [];

        public override string? ReasonToSkip(ConformanceCheck check)
        {
            using var kernel = Kernels.Boot(Options.Policies[0]);
            using var map = _factory(kernel);
            var shape = new MapShape(map, can);
            return check switch
            {
                _ when check == Rules.Order => "it has keys",
                _ when check == Rules.DestroyWithOwner && can.Keys != MapKeys.Owner => "nobody owns its values",
                _ when (check == Rules.DestroyOnDelete || check == Rules.StaleKeys) && !can.CanDelete
                    && can.WhenFull != WhenFull.Evict => "nothing is ever deleted",
                _ when IsAboutObjects(check) && shape.KptrOffsets.IsEmpty =>
                    "its values have no kptr to a task, cgroup or cpumask",
                _ when check == Rules.Opaque && !shape.HasSpecials => "its values have no special fields",
                _ when check == Rules.Iteration && !can.CanIterate && !can.CanVisit => "it has no walk",
                _ when check == Rules.ReaderSafety && can.KeptFor == GracePeriods.None =>
                    "it promises readers nothing (KeptFor)",
                _ when (check == Rules.Threads || check == Rules.FreeDuringUse || check == Rules.Unlocked)
                    && !can.IsThreadSafe =>
                    "it is for one thread (IsThreadSafe)",
                _ when check == Rules.Threads && can.Keys == MapKeys.Index => "its elements neither come nor go",
                _ => null,
            };
        }

        public override ConformanceFailure? Run(ConformanceCheck check, DestroyBehavior policy, Watch watch)
        {
            if (check == Rules.ReaderSafety)
            {
                return new ReaderCheck(_factory, can, policy, Options, watch).Run();
            }

            if (check == Rules.Table)
            {
                var table = new CellCheck(source, can, policy, Options, watch);
                var failure = table.Run();
                Cells.AddRange(table.Cells);
                return failure;
            }

            if (check == Rules.Unlocked)
            {
                return new UnlockedCheck(_factory, can, policy, Options, watch).Run();
            }

            if (check == Rules.Threads || check == Rules.FreeDuringUse)
            {
                return new ThreadCheck(_factory, can, policy, Options, watch).Run(check);
            }

            if (check == Rules.Ends && can.IsThreadSafe)
            {
                _ = new ThreadCheck(_factory, can, policy, Options, watch).Run(check);
            }

            return RunScripts(check, policy, watch);
        }

        protected override Desk<Step> NewDesk(DestroyBehavior policy, Watch watch) =>
            new MapDesk(_factory, can, policy, Options.StepsMax, watch);

        private static bool IsAboutObjects(ConformanceCheck check) =>
            check == Rules.DestroyOnOverwrite || check == Rules.DestroyOnDelete || check == Rules.DestroyWithOwner
            || check == Rules.DestroyAtMapFree || check == Rules.DestroyOnce || check == Rules.Destructors
            || check == Rules.Conservation || check == Rules.Unlocked;
    }
}
