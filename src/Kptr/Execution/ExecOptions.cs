namespace Kptr.Execution;

/// <summary>Limits of one run.</summary>
public sealed record ExecOptions
{
    /// <summary>The fuel a run gets unless it is told otherwise.</summary>
    public const long FuelDefault = 1L << 36;

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

    /// <summary>Who looks on, one instruction at a time; null for nobody. Slows the run down.</summary>
    internal IRunObserver? Observer { get; init; }
}
