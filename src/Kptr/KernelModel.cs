using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr;

/// <summary>A modelled kernel: tasks, cgroups, maps, RCU, time, the ledger, and the programs attached to it.</summary>
/// <remarks>
/// Safe for any number of threads. Programs run on the thread that causes their event. Dispose objects and maps first.
/// </remarks>
public sealed class KernelModel : KernelCore
{
    private readonly HookTable _hooks;

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
        ExecDefault = new() { Engine = options.Engine };
        ArgBlocks = Heap.CreateSlab("arguments of programs", BpfProgram.ArgsMax * sizeof(ulong));
        _hooks = new HookTable();
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

    /// <summary>Map types of the user's own, which objects declare by number.</summary>
    public IReadOnlyList<MapType> MapTypes { get; }

    internal ProgHost Host { get; }

    /// <summary>How programs run where nobody says otherwise.</summary>
    internal ExecOptions ExecDefault { get; }

    internal HookTable HookTable => _hooks;

    /// <summary>
    /// Memory for the arguments of tracing programs: one slab for all, because a slab keeps its memory for good.
    /// </summary>
    internal HeapSlab ArgBlocks { get; }

    /// <summary>Passes a tracepoint: runs every program attached to it.</summary>
    /// <param name="hook">Its name (<c>sched_switch</c>).</param>
    /// <param name="args">Its arguments as registers; objects by <see cref="KernelObject.Address"/>.</param>
    public void Raise(string hook, params ReadOnlySpan<ulong> args) => _hooks.Fire(hook, args);

    /// <summary>
    /// Calls a traced function or an LSM hook, with all programs at its entry, in its place and at its exit.
    /// </summary>
    /// <param name="function">Its name; of an LSM hook the bare one (<c>file_open</c>).</param>
    /// <param name="args">Its arguments as registers; objects by <see cref="KernelObject.Address"/>.</param>
    /// <param name="body">What it does itself; null for nothing, which gives 0.</param>
    /// <returns>
    /// What it returns: the first non-zero answer of an LSM or <c>fmod_ret</c> program, which keeps those behind it and
    /// the body from running; else the body's.
    /// </returns>
    public long Call(string function, ReadOnlySpan<ulong> args, Func<long>? body = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(function);
        return _hooks.Call(function, args, body);
    }

    /// <summary>
    /// An event happens whose programs get a record of bytes: a tracepoint's (<c>tp/</c>), a perf
    /// event's, a probe's registers.
    /// </summary>
    /// <param name="name">What the programs are attached to (<c>sched/sched_switch</c>).</param>
    /// <param name="record">The record, as the event's format has it.</param>
    public void RaiseEvent(string name, ReadOnlySpan<byte> record)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _hooks.FireEvent(name, record);
    }
}
