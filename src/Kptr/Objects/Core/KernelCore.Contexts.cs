using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

// What this thread may do now.
public partial class KernelCore
{
    /// <summary>What the CPU that this thread plays is doing.</summary>
    public ExecContext Context => Thread.Context;

    /// <summary>The CPU that this thread plays.</summary>
    public int CurrentCpu
    {
        get => Thread.Cpu;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value, CpuCount);
            if (!PossibleCpus.Contains(value))
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, "no such CPU can exist");
            }

            Thread.Cpu = value;
        }
    }

    /// <summary>Puts this thread into a context until the result is disposed.</summary>
    public ContextScope EnterContext(ExecContext context) => new(Thread, context);

    /// <summary>
    /// Throws unless an object that a caller brings is this kernel's: tables, locks and memory of two must not mix.
    /// </summary>
    internal void CheckOwn(KernelObject obj, [CallerArgumentExpression(nameof(obj))] string? name = null)
    {
        ArgumentNullException.ThrowIfNull(obj, name);
        if (obj.Core != this)
        {
            throw new ArgumentException($"{obj} is another kernel's", name);
        }
    }

    /// <summary>Where this thread is: at a program's instruction while one runs, else at a line of C#.</summary>
    internal RefSite SiteHere(string file, int line) => Thread.Run?.Site ?? new RefSite(file, line);

    /// <summary>Where this thread is, for a fault that nobody handed a line of C# in for. Slow.</summary>
    internal RefSite SiteHere() => Thread.Run?.Site ?? CallSite.Find();

    /// <summary>The kernel passes a tracepoint. Call it with no lock held.</summary>
    internal void Fire(string tracepoint, params ReadOnlySpan<ulong> args) => Hooks?.Fire(tracepoint, args);

    /// <summary>Asks an LSM hook; 0, or the negative number of whoever refuses.</summary>
    internal long CallHook(string hook, params ReadOnlySpan<ulong> args) => Hooks?.Ask(hook, args) ?? 0;

    /// <summary>Says that something is about to sleep.</summary>
    /// <param name="what">What, for the report.</param>
    /// <returns>Whether it may; if not, the fault is reported.</returns>
    internal bool MightSleep(string what)
    {
        var thread = Thread;
        var why = Rcu.IsReader ? "inside an RCU reader"
            : thread.Context != ExecContext.Process ? $"in {thread.Context} context"
            : thread.LockDepth > 0 ? "with a spin lock held"
            : thread.PreemptDepth > 0 ? "with preemption disabled"
            : thread.IrqOffDepth > 0 ? "with interrupts disabled" : null;
        if (why is null)
        {
            return true;
        }

        Report(new(DiagCode.SleepInAtomic, $"{what} may sleep, {why}"));
        return false;
    }
}
