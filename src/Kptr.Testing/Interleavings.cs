using System.Diagnostics.CodeAnalysis;
using Kptr.Testing.Schedules;

namespace Kptr.Testing;

/// <summary>Tries the schedules of a few threads, all of them up to a bound and then random ones.</summary>
/// <remarks>
/// The scenario runs in rewritten copies of Kptr, of its own assembly and of the others that use Kptr; the originals
/// are as they were. So its code may capture numbers, strings and enums only, and static fields are the copies' own. It
/// runs thousands of times: it must do the same in the same schedule, and read no clock but a
/// <see cref="Objects.VirtualClock"/>, no unseeded random. Kernels need <see cref="Objects.DeferredDriver.Manual"/>.
/// </remarks>
[RequiresUnreferencedCode(Why)]
[RequiresDynamicCode(Why)]
public static class Interleavings
{
    private const string Why = "A scenario's assemblies are rewritten and loaded while it runs.";

    /// <summary>Tries schedules until all up to the bounds were tried, one fails, or the budget is used up.</summary>
    /// <typeparam name="T">What the threads share.</typeparam>
    /// <param name="setup">Makes what the threads share, anew for each schedule; disposed of at its end.</param>
    /// <param name="threads">What each thread does: 1 to 8 of them. An exception is a failure.</param>
    /// <param name="check">Throws where the outcome is wrong; called when all threads ended. Null for none.</param>
    /// <param name="options">Bounds and budget; null for the usual.</param>
    /// <param name="interrupts">What may run on top of any thread, at any point; null for nothing.</param>
    /// <exception cref="ArgumentException">A delegate captures an object.</exception>
    public static InterleavingReport Explore<T>(
        Func<T> setup, IReadOnlyList<Action<T>> threads, Action<T>? check = null, InterleavingOptions? options = null,
        IReadOnlyList<Action<T>>? interrupts = null)
    {
        using var explorer = new Explorer(Scenario.Of(setup, threads, check, interrupts), options ?? new());
        return explorer.Explore();
    }

    /// <summary>Runs one schedule again.</summary>
    /// <typeparam name="T">What the threads share.</typeparam>
    /// <param name="schedule">As <see cref="InterleavingReport.Schedule"/> has it; empty for the usual one.</param>
    /// <param name="setup">The same as when it was found; so are the others.</param>
    /// <param name="threads">What each thread does.</param>
    /// <param name="check">Throws where the outcome is wrong.</param>
    /// <param name="options">Only <see cref="InterleavingOptions.StepsMax"/> and
    /// <see cref="InterleavingOptions.MemoryOrder"/> count.</param>
    /// <param name="interrupts">What may run on top of a thread.</param>
    /// <exception cref="FormatException">No such schedule can be.</exception>
    public static InterleavingReport Replay<T>(
        string schedule, Func<T> setup, IReadOnlyList<Action<T>> threads, Action<T>? check = null,
        InterleavingOptions? options = null, IReadOnlyList<Action<T>>? interrupts = null)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        using var explorer = new Explorer(Scenario.Of(setup, threads, check, interrupts), options ?? new());
        return explorer.Replay([.. schedule.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Turn.Parse)]);
    }

    /// <summary>
    /// Asked by a scenario's code whether to fail here: true in some schedules, at most
    /// <see cref="InterleavingOptions.Faults"/> times in each. False outside of a scenario's threads.
    /// </summary>
    public static bool Fault() => Points.Fault();
}
