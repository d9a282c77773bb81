using System.Diagnostics.CodeAnalysis;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.ObjectScripts;
using Kptr.Testing.Scripts;

namespace Kptr.Testing;

/// <summary>Holds a type of kernel objects against what every object owes its kernel.</summary>
/// <remarks>
/// <see cref="Check"/> runs all checks, or those that <see cref="ConformanceOptions.Only"/> names, and throws with a
/// report where a rule is broken. Most checks play random scripts and count references beside them; the script that
/// shows a fault is shrunk before it is reported. The same seed tries the same.
/// </remarks>
public static class ObjectConformance
{
    /// <summary>All checks, in the order they run.</summary>
    public static IReadOnlyList<ConformanceCheck> Checks => ObjectRules.All;

    /// <summary>Runs the checks and throws where a rule is broken.</summary>
    /// <typeparam name="T">The type of object.</typeparam>
    /// <param name="factory">Makes a new object, whose one reference is the caller's; called many times, for many
    /// kernels. Where there is no memory (<c>FailedBirth</c>) it may give null.</param>
    /// <param name="capabilities">What the type says of itself.</param>
    /// <param name="options">How much is tried.</param>
    /// <returns>What passed, and what could not be asked.</returns>
    /// <exception cref="ConformanceException">A rule is broken; the message says which and how.</exception>
    /// <exception cref="ArgumentException">The options name a check that there is not, or try nothing.</exception>
    public static ConformanceReport Check<T>(
        Func<KernelCore, T> factory, ObjectCapabilities capabilities, ConformanceOptions? options = null)
        where T : KernelObject
    {
        var report = Run(factory, capabilities, options);
        return report.IsConformant ? report : throw new ConformanceException(report);
    }

    /// <summary>As <see cref="Check"/>, without throwing.</summary>
    /// <inheritdoc cref="Check"/>
    [SuppressMessage("Naming", "CA1716", Justification = "it runs the checks")]
    public static ConformanceReport Run<T>(
        Func<KernelCore, T> factory, ObjectCapabilities capabilities, ConformanceOptions? options = null)
        where T : KernelObject
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentNullException.ThrowIfNull(capabilities);
        options ??= new();
        return ConformanceRunner.Run(
            Checks, ObjectRules.Ends, options, new Bench<T>(factory, capabilities, options));
    }

    private sealed class Bench<T>(Func<KernelCore, T> factory, ObjectCapabilities can, ConformanceOptions options)
        : ScriptBench<ObjectStep>(options)
        where T : KernelObject
    {
        private readonly Dictionary<DestroyBehavior, KernelSpec> _specs = [];

        // Only where memory is denied may a factory make nothing; one check does that.
        private readonly Func<KernelCore, T> _sure = ConformanceRunner.Sure(factory);

        public override string? ReasonToSkip(ConformanceCheck check) =>
            check == ObjectRules.Threads && !can.IsThreadSafe ? "it is for one thread (IsThreadSafe)" : null;

        public override ConformanceFailure? Run(ConformanceCheck check, DestroyBehavior policy, Watch watch)
        {
            if (check == ObjectRules.Threads)
            {
                return new ObjectThreads<T>(_sure, SpecOf(policy), Options, watch).Run();
            }

            return new ObjectScenes<T>(factory, can, SpecOf(policy), Options, watch).Run(check)
                ?? RunScripts(check, policy, watch);
        }

        protected override Desk<ObjectStep> NewDesk(DestroyBehavior policy, Watch watch) =>
            new ObjectDesk<T>(_sure, can, SpecOf(policy), Options.StepsMax, watch);

        // To make types of declarations takes longer than a script.
        private KernelSpec SpecOf(DestroyBehavior policy) => _specs.TryGetValue(policy, out var known) ? known
            : _specs[policy] = BuiltinKernel.Spec(
                Kernels.ProfileOf(policy), can.Kfuncs, can.Declarations);
    }
}
