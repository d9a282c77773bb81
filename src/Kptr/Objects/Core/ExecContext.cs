namespace Kptr.Objects;

/// <summary>
/// What the CPU is doing while code runs, from the one that may do most to the one that may do least.
/// </summary>
public enum ExecContext
{
    /// <summary>On behalf of a task; may sleep.</summary>
    Process,

    /// <summary>Soft interrupt: timers.</summary>
    SoftIrq,

    /// <summary>Hard interrupt: irq work.</summary>
    HardIrq,

    /// <summary>Non-maskable interrupt: may take no lock.</summary>
    Nmi,
}
