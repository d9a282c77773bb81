using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr;

/// <summary>A modelled kernel: tasks, cgroups, maps, RCU, time, the ledger, and the programs attached to it.</summary>
/// <remarks>
/// Safe for any number of threads. Programs run on the thread that causes their event. Dispose objects and maps first.
/// </remarks>
public sealed partial class KernelModel : KernelCore
{
    private readonly HookTable _hooks;
    private bool _isBpfStatsEnabled;

    /// <summary>Boots a Linux 6.12 with two CPUs and one task.</summary>
    public KernelModel()
        : this(new KernelModelOptions())
    {
    }

    /// <summary>Boots a kernel.</summary>
    public KernelModel(KernelModelOptions options)
        : base((options ?? throw new ArgumentNullException(nameof(options))).ToSpec(), options)
    {
        MapTypes = [.. options.MapTypes];
        Host = new(this, options.Kfuncs, options.Seed);
        Destructors = Kptr.Kfuncs.Destructors.Of(Host);
        ExecDefault = new() { Engine = options.Engine };
        _hooks = new HookTable(this);
        Hooks = _hooks;
    }

    /// <summary>
    /// Raised for every line that a program prints (<c>bpf_trace_printk</c>), on the thread that runs it.
    /// </summary>
    public event Action<string>? Traced
    {
        add => Host.Traced += value;
        remove => Host.Traced -= value;
    }

    /// <summary>Lines that programs printed so far, oldest first; a copy.</summary>
    public IReadOnlyList<string> TracePipe => Host.Trace;

    /// <summary>The kernel's virtual clock.</summary>
    /// <exception cref="InvalidOperationException">The options named another clock.</exception>
    public VirtualClock VirtualClock =>
        Clock as VirtualClock ?? throw new InvalidOperationException("this kernel runs on a clock of the user's own");

    /// <summary>
    /// Whether runs of programs are counted and timed for <see cref="BpfProgram.Stats"/>: <c>bpf_stats_enabled</c>.
    /// Off at first: the clock is asked twice a run. Any thread may turn it on and off.
    /// </summary>
    public bool IsBpfStatsEnabled
    {
        get => Volatile.Read(ref _isBpfStatsEnabled);
        set => Volatile.Write(ref _isBpfStatsEnabled, value);
    }

    /// <summary>Map types of the user's own, which objects declare by number.</summary>
    public IReadOnlyList<MapType> MapTypes { get; }

    internal ProgHost Host { get; }

    /// <summary>How programs run where nobody says otherwise.</summary>
    internal ExecOptions ExecDefault { get; }

    internal HookTable HookTable => _hooks;
}
