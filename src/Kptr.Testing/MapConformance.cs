using System.Diagnostics.CodeAnalysis;
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
    /// <exception cref="ArgumentException">The options name a check that there is not, or try nothing.</exception>
    public static ConformanceReport Check(
        Func<KernelCore, BpfMap> factory, MapCapabilities capabilities, ConformanceOptions? options = null)
    {
        var report = Run(factory, capabilities, options);
        return report.IsConformant ? report : throw new ConformanceException(report);
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
        return ConformanceRunner.Run(Checks, Rules.Ends, options,
            new Bench(OfItsKernel(factory), capabilities, options));
    }

    // What is compared is the kernel's: a map of another one has other CPUs, objects and ledger.
    private static Func<KernelCore, BpfMap> OfItsKernel(Func<KernelCore, BpfMap> factory) => kernel =>
        ConformanceRunner.Sure(factory)(kernel) is var map && map.Core == kernel
            ? map
            : throw new InvalidOperationException("the factory made a map of another kernel than it was given");

    /// <summary>Runs single checks of one map type.</summary>
    private sealed class Bench(
        Func<KernelCore, BpfMap> factory, MapCapabilities can, ConformanceOptions options) : ScriptBench<Step>(options)
    {
        public override string? ReasonToSkip(ConformanceCheck check)
        {
            using var kernel = Kernels.Boot(Options.Policies[0]);
            using var map = factory(kernel);
            var shape = new MapShape(map, can);
            return check switch
            {
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
                return new ReaderCheck(factory, can, policy, Options, watch).Run();
            }

            if (check == Rules.Unlocked)
            {
                return new UnlockedCheck(factory, can, policy, Options, watch).Run();
            }

            if (check == Rules.Threads || check == Rules.FreeDuringUse)
            {
                return new ThreadCheck(factory, can, policy, Options, watch).Run(check);
            }

            if (check == Rules.Ends && can.IsThreadSafe)
            {
                _ = new ThreadCheck(factory, can, policy, Options, watch).Run(check);
            }

            return RunScripts(check, policy, watch);
        }

        protected override Desk<Step> NewDesk(DestroyBehavior policy, Watch watch) =>
            new MapDesk(factory, can, policy, Options.StepsMax, watch);

        private static bool IsAboutObjects(ConformanceCheck check) =>
            check == Rules.DestroyOnOverwrite || check == Rules.DestroyOnDelete || check == Rules.DestroyAtMapFree
            || check == Rules.DestroyOnce || check == Rules.Destructors || check == Rules.Conservation
            || check == Rules.Unlocked;
    }
}
