using System.Diagnostics.CodeAnalysis;
using Kptr.Testing.Programs;

namespace Kptr.Testing;

/// <summary>Runs the programs of an object in many kernels, and holds what they do against what was promised.</summary>
/// <remarks>
/// <para>
/// The object is loaded into each kernel profile under each destroy policy, and attached. Random scripts let things
/// happen there: tasks fork, execute, exit and are reaped, move between cgroups; programs run with contexts, packets
/// and arguments made at random; user space updates and deletes elements; grace periods end, work runs, time passes;
/// memory, locks, last references and calls fail. After each step the verifier's word is
/// held against the ledger's. The script that shows a fault is shrunk; the same seed tries the same.
/// </para>
/// <para>Scripts are played on one thread. Whatever the programs, the kfuncs or the maps throw is a finding.</para>
/// </remarks>
public static class ProgramTest
{
    /// <summary>All checks.</summary>
    public static IReadOnlyList<ConformanceCheck> Checks => ProgRules.All;

    /// <summary>Runs the checks and throws where something is wrong.</summary>
    /// <param name="open">Opens the object, or makes it; called for every script and kernel.</param>
    /// <param name="options">How much is tried, in which kernels.</param>
    /// <returns>What passed, and what is good to know.</returns>
    /// <exception cref="ProgramTestException">Something is wrong; the message says what, and how to see it.</exception>
    /// <exception cref="ArgumentException">The options name a check or a fault that there is none of, or
    /// no kernel, or try nothing.</exception>
    public static ProgramTestReport Check(Func<BpfObject> open, ProgramTestOptions? options = null)
    {
        var report = Run(open, options);
        return report.IsSound ? report : throw new ProgramTestException(report);
    }

    /// <summary>As <see cref="Check"/>, without throwing for what is found.</summary>
    /// <inheritdoc cref="Check"/>
    [SuppressMessage("Naming", "CA1716", Justification = "it runs the checks")]
    public static ProgramTestReport Run(Func<BpfObject> open, ProgramTestOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(open);
        options ??= new();
        if (options.Load.Reuse.Count > 0)
        {
            throw new ArgumentException(
                "a map of one kernel cannot be in all of them (LoadOptions.Reuse)", nameof(options));
        }

        if (options.Policies.Count == 0 || (options.Profiles.Count == 0 && options.Kernel.Kernel is null))
        {
            throw new ArgumentException("no kernel or no policy is named, so nothing would run", nameof(options));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(options.Scripts, 1, "options.Scripts");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.StepsMax, 1, "options.StepsMax");
        return new ProgramBench(open, options, ConformanceRunner.Chosen(Checks, options.Only)).Run();
    }
}
