using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kptr.Objects;

/// <summary>Who makes grace periods end and deferred work run.</summary>
public enum DeferredDriver
{
    /// <summary>A background thread, as soon as it can.</summary>
    Background,

    /// <summary>Nobody but the test, step by step, or <see cref="KernelCore.Quiesce"/>.</summary>
    Manual,
}

/// <summary>How a modelled kernel is set up.</summary>
public record KernelCoreOptions
{
    /// <summary>Number of CPUs.</summary>
    public int CpuCount { get; init; } = 2;

    /// <summary>
    /// Ids of the CPUs that can exist, 0 among them, all below <see cref="CpuCount"/>; empty for all of them. User
    /// space's buffers of per-CPU values have a part for each of these and none for the holes.
    /// </summary>
    public IReadOnlyList<int> PossibleCpus
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(PossibleCpus));
    } = [];

    /// <summary>
    /// How closely references are followed. Above <see cref="LedgerLevel.Counts"/> every reference knows its place.
    /// </summary>
    public LedgerLevel LedgerLevel { get; init; } = LedgerLevel.Counts;

    /// <summary>Who drives grace periods and deferred work.</summary>
    public DeferredDriver Driver { get; init; } = DeferredDriver.Background;

    /// <summary>Whether freed memory is poisoned and held back, so that a late access is a reported fault.</summary>
    public bool IsMemoryChecked { get; init; } = true;

    /// <summary>Freed slots that each pool holds back where <see cref="IsMemoryChecked"/>.</summary>
    public int QuarantineSlotsMax { get; init; } = 256;

    /// <summary>Which mistakes of C# code are looked for, beyond those that cost nothing to find.</summary>
    public MisuseChecks MisuseChecks { get; init; } = MisuseChecks.Default;

    /// <summary>
    /// Whether a fault throws <see cref="KernelFaultException"/> where it happens, besides being reported.
    /// </summary>
    public bool ThrowOnFault { get; init; }

    /// <summary>The kernel's time; null makes a <see cref="VirtualClock"/> that stands still until advanced.</summary>
    public TimeProvider? Clock { get; init; }

    /// <summary>Failures to inject; null, the default, for a kernel in which nothing is made to fail.</summary>
    public FaultPlan? FaultPlan { get; init; }

    /// <summary>The main ones.</summary>
    public override string ToString() => $"{CpuCount} CPUs, ledger {LedgerLevel}, deferred work {Driver}";

    /// <summary>Where events go.</summary>
    public ILogger Logger
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Logger));
    } = NullLogger.Instance;
}
