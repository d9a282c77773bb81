using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kptr;

/// <summary>How a <see cref="KernelModel"/> is set up.</summary>
public sealed record KernelModelOptions
{
    /// <summary>The kernel version: which kfuncs there are, and when maps destroy values.</summary>
    public KernelProfile Profile { get; init; } = KernelProfile.Linux6_12;

    /// <summary>
    /// The kernel to load into, such as one with a real <c>vmlinux</c> BTF; null for the built-in one of <see cref="Profile"/>.
    /// </summary>
    public KernelSpec? Kernel { get; init; }

    /// <summary>The kfuncs: Kptr's own, or those and the user's.</summary>
    public KfuncRegistry Kfuncs { get; init; } = KfuncRegistry.Builtin;

    /// <summary>C declarations of kernel types that the user's own kfuncs and objects need; only for the built-in kernel.</summary>
    public string Declarations { get; init; } = "";

    /// <summary>Number of CPUs.</summary>
    public int CpuCount { get; init; } = 2;

    /// <inheritdoc cref="KernelCoreOptions.PossibleCpus"/>
    public IReadOnlyList<int> PossibleCpus { get; init; } = [];

    /// <summary>How closely references are followed. Above <see cref="LedgerLevel.Counts"/> every reference knows its place.</summary>
    public LedgerLevel LedgerLevel { get; init; } = LedgerLevel.Counts;

    /// <summary>Who drives grace periods and deferred work.</summary>
    public DeferredDriver Driver { get; init; } = DeferredDriver.Background;

    /// <summary>Whether freed memory is poisoned and held back, so that a late access is a reported fault.</summary>
    public bool IsMemoryChecked { get; init; } = true;

    /// <summary>Whether a fault throws where it happens, besides being reported.</summary>
    public bool ThrowOnFault { get; init; }

    /// <summary>The kernel's time; null makes a <see cref="VirtualClock"/> that stands still until advanced.</summary>
    public TimeProvider? Clock { get; init; }

    /// <summary>Seed of the random numbers that programs get.</summary>
    public int Seed { get; init; }

    /// <summary>Where events go.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    internal KernelSpec ToSpec()
    {
        if (Kernel is { } given)
        {
            return given;
        }

        return Declarations.Length == 0 && ReferenceEquals(Kfuncs, KfuncRegistry.Builtin)
            ? BuiltinKernel.Spec(Profile)
            : BuiltinKernel.Spec(Profile, Kfuncs, Declarations);
    }

    internal KernelCoreOptions ToCoreOptions() => new()
    {
        CpuCount = CpuCount,
        PossibleCpus = PossibleCpus,
        LedgerLevel = LedgerLevel,
        Driver = Driver,
        IsMemoryChecked = IsMemoryChecked,
        ThrowOnFault = ThrowOnFault,
        Clock = Clock,
        Logger = Logger,
    };
}
