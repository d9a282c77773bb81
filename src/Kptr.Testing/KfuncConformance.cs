using System.Diagnostics.CodeAnalysis;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Testing.KfuncScripts;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Holds kfuncs against what their flags say, and against what every kfunc owes its kernel.</summary>
/// <remarks>
/// <para>
/// <see cref="Check"/> runs all checks, or those that <see cref="ConformanceOptions.Only"/> names, and throws with a
/// report where a rule is broken. For each kfunc a program is made, verified and run; random scripts call them with
/// live, dying and freed objects, in every context, with failing allocations, and the counts of all objects in the
/// kernel are compared around each call. The script that shows a fault is shrunk before it is reported. The same seed
/// tries the same.
/// </para>
/// <para>
/// Tried are kfuncs that syscall or tracing programs may call, and that take numbers, sized memory and objects which
/// <see cref="KfuncCapabilities.Objects"/> makes; the report says which were not, and why.
/// </para>
/// </remarks>
public static class KfuncConformance
{
    /// <summary>All checks, in the order they run.</summary>
    public static IReadOnlyList<ConformanceCheck> Checks => KfuncRules.All;

    /// <summary>Runs the checks and throws where a rule is broken.</summary>
    /// <param name="kfuncs">The kfuncs that kernels get: <c>KfuncRegistry.Builtin.With(typeof(Mine))</c>.</param>
    /// <param name="capabilities">What they need, and which of them are tried.</param>
    /// <param name="options">How much is tried.</param>
    /// <returns>What passed, and what could not be asked.</returns>
    /// <exception cref="ConformanceException">A rule is broken; the message says which and how.</exception>
    /// <exception cref="ArgumentException">The capabilities or the options name something that there is not; or there
    /// is no kfunc to try.</exception>
    public static ConformanceReport Check(
        KfuncRegistry kfuncs, KfuncCapabilities capabilities, ConformanceOptions? options = null)
    {
        var report = Run(kfuncs, capabilities, options);
        return report.IsConformant ? report : throw new ConformanceException(report);
    }

    /// <summary>As <see cref="Check"/>, without throwing.</summary>
    /// <inheritdoc cref="Check"/>
    [SuppressMessage("Naming", "CA1716", Justification = "it runs the checks")]
    public static ConformanceReport Run(
        KfuncRegistry kfuncs, KfuncCapabilities capabilities, ConformanceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(kfuncs);
        ArgumentNullException.ThrowIfNull(capabilities);
        options ??= new();
        options.ThrowIfNothingIsTried();
        var worlds = options.Policies.Distinct().ToDictionary(p => p, p => new KfuncWorld(kfuncs, capabilities, p));
        if (capabilities.Kfuncs.FirstOrDefault(name => worlds.Values.All(w => w.Missing.Contains(name))) is { } unknown)
        {
            throw new ArgumentException($"no kernel has a kfunc \"{unknown}\"", nameof(capabilities));
        }

        var report = ConformanceRunner.Run(Checks, KfuncRules.Ends, options, new Bench(worlds, capabilities, options));
        return report with { Untried = [.. worlds.Values.SelectMany(Untried).Distinct()] };
    }

    private static IEnumerable<string> Untried(KfuncWorld world) =>
        world.All.Where(k => k.Reason is not null).Select(k => $"{k.Name}: {k.Reason}")
            .Concat(world.Missing.Select(name => $"{name}: {world.Kernel.Profile.Name} has it not"));

    private sealed class Bench(
        Dictionary<DestroyBehavior, KfuncWorld> worlds, KfuncCapabilities can, ConformanceOptions options)
        : ScriptBench<KfuncStep>(options)
    {
        public override string? ReasonToSkip(ConformanceCheck check) => check switch
        {
            _ when Tried.All(k => k.Reason is not null) => "no kfunc can be tried",
            _ when check == KfuncRules.Acquire && !Tried.Any(k => k.IsAcquire) => "none has KF_ACQUIRE",
            _ when check == KfuncRules.Release && !Tried.Any(k => k.IsRelease) => "none has KF_RELEASE",
            _ when check == KfuncRules.GoneIsNull && !Tried.Any(k => k.TakesDying) => "none has KF_RCU",
            _ when check == KfuncRules.Trusted && !Tried.Any(k => k.TakesStale) =>
                "all that take objects ask for KF_TRUSTED_ARGS or KF_RCU",
            _ when check == KfuncRules.Destructor && !worlds.Values.Any(w => w.Kfuncs.Any(k =>
                w.Kernel.Dtors.ContainsValue(k.Name))) => "none is a destructor",
            _ when check == KfuncRules.Memory && !Tried.Any(k => k.Args.Any(a => a.Shape == ArgShape.Buffer)) =>
                "none takes memory with a size",
            _ when check == KfuncRules.Threads && !can.IsThreadSafe => "they are for one thread (IsThreadSafe)",
            _ => null,
        };

        private IEnumerable<KfuncShape> Tried => worlds.Values.SelectMany(w => w.Kfuncs);

        public override ConformanceFailure? Run(ConformanceCheck check, DestroyBehavior policy, Watch watch) =>
            check == KfuncRules.Threads ? new KfuncThreads(worlds[policy], Options, watch).Run()
            : new KfuncScenes(worlds[policy], Options, watch).Run(check) ?? RunScripts(check, policy, watch);

        protected override Desk<KfuncStep> NewDesk(DestroyBehavior policy, Watch watch) =>
            new KfuncDesk(worlds[policy], Options.StepsMax, watch);
    }
}
