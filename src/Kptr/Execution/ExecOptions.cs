namespace Kptr.Execution;

/// <summary>Limits of one run.</summary>
public sealed record ExecOptions
{
    /// <summary>
    /// The fuel a run gets unless it is told otherwise: a program that never ends is stopped within half a minute.
    /// </summary>
    public const long FuelDefault = 1L << 34;

    /// <summary>The defaults.</summary>
    public static ExecOptions Default { get; } = new();

    /// <summary>
    /// Instructions that loops may repeat before the run faults. Taken backward jumps cost the length of their loop and
    /// calls one; straight code is free, since it ends by itself.
    /// </summary>
    public long Fuel { get; init; } = FuelDefault;

    /// <summary>The fuel.</summary>
    public override string ToString() => $"fuel {Fuel}{(Cancellation.CanBeCanceled ? ", can be cancelled" : "")}";

    /// <summary>Ends the run with a fault soon after it is cancelled.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>
    /// Which engine runs the program; <see cref="ExecEngine.Auto"/> leaves it to <c>KernelModelOptions.Engine</c>,
    /// where there is a kernel. Results, faults and what they say are the same.
    /// </summary>
    public ExecEngine Engine { get; init; }

    /// <summary>Who looks on, one instruction at a time; null for nobody. Slows the run down.</summary>
    internal IRunObserver? Observer { get; init; }
}

/// <summary>What runs a program's instructions.</summary>
public enum ExecEngine
{
    /// <summary>
    /// The interpreter at first. A program that runs often or long is compiled meanwhile, on a thread of the pool; its
    /// next run is native code.
    /// </summary>
    Auto,

    /// <summary>The interpreter, always.</summary>
    Interpreter,

    /// <summary>
    /// Native code from the first run on, which waits for it. Where the host cannot make code (native AOT), or the
    /// instructions are of no shape that can be compiled, the interpreter.
    /// </summary>
    Jit,

    /// <summary>
    /// As <see cref="Jit"/>, and without the checks that <c>VerifiedProgram.Proof</c> shows to be needless: for
    /// programs that are past their tests. Everything is checked where nothing is proven: raw instructions, kernels
    /// with a <c>FaultPlan</c>, programs that call a user's own kfuncs, runs with other fuel than the default or that
    /// can be cancelled, callbacks of timers.
    /// </summary>
    /// <remarks>Loops whose rounds the verifier explored one by one use no fuel.</remarks>
    Trusted,
}
