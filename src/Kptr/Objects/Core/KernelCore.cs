using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;
using Kptr.Specs;
using Microsoft.Extensions.Logging;

namespace Kptr.Objects;

/// <summary>
/// The heart of a modelled kernel, which every live thing is given: memory, counts, time, deferred work, tables.
/// </summary>
/// <remarks>
/// Safe for any number of threads unless a member says otherwise. No lock of it is ever held while a destructor runs.
/// </remarks>
public partial class KernelCore : IDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<ObjectLayout>> _layouts = new();
    private readonly ConcurrentDictionary<Type, object> _singles = new();
    private readonly ThreadLocal<ThreadState> _thread = new(static () => new ThreadState());
    private readonly long _bootTimestamp;
    private long _lastRunId;

    /// <summary>Boots an empty kernel.</summary>
    /// <param name="spec">Its types and its version's rules.</param>
    /// <param name="options">Null for the defaults.</param>
    public KernelCore(KernelSpec spec, KernelCoreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(spec.Types, nameof(spec));
        ArgumentNullException.ThrowIfNull(spec.Profile, nameof(spec));
        Spec = spec;
        Options = options ?? new();
        MisuseChecks = Options.MisuseChecks;
        if (!Enum.IsDefined(Options.Driver) || !Enum.IsDefined(Options.LedgerLevel))
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), $"there is no driver {Options.Driver}, or no ledger level {Options.LedgerLevel}");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(Options.CpuCount, 1, "options.CpuCount");

        // Programs are verified against that bound: a CPU beyond it would be a number that the verifier ruled out.
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Options.CpuCount, spec.CpuIds, "options.CpuCount");
        AllCpus = [.. Enumerable.Range(0, CpuCount)];
        PossibleCpus = Options.PossibleCpus.Count == 0
            ? [.. Enumerable.Range(0, CpuCount)]
            : [.. Options.PossibleCpus.Order().Distinct()];
        if (PossibleCpus[0] != 0 || PossibleCpus[^1] >= CpuCount)
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), "the possible CPUs begin with 0 and are below CpuCount");
        }

        Clock = Options.Clock ?? new VirtualClock();
        _bootTimestamp = Clock.GetTimestamp();
        Heap = new(Options.IsMemoryChecked, Options.QuarantineSlotsMax,
            this.LooksFor(MisuseChecks.Readers | MisuseChecks.Slots), Options.FaultPlan is not null);
        Ledger = new(this, Options.LedgerLevel);
        Metrics = new(this);
        Deferred = new(this);
        FaultDesk = new(this);
        Rcu = new(this, "rcu");
        RcuTrace = new(this, "rcu_tasks_trace");
        Work = new(this, "workqueue", ExecContext.Process);
        IrqWork = new(this, "irq_work", ExecContext.HardIrq);
        Conntrack = new(this);
        Sockets = new(this);
        Cgroups = new(this);
        Tasks = new(this);
        Options.FaultPlan?.Bind(this);
    }

    /// <summary>Types, kfuncs and rules of this kernel.</summary>
    public KernelSpec Spec { get; }

    /// <summary>How it was set up.</summary>
    public KernelCoreOptions Options { get; }

    /// <summary>Number of CPUs.</summary>
    public int CpuCount => Options.CpuCount;

    /// <summary>The numbers below <see cref="CpuCount"/>: where a new task may run.</summary>
    internal int[] AllCpus { get; }

    /// <summary>Ids of the CPUs that can exist, rising.</summary>
    public ImmutableArray<int> PossibleCpus { get; }

    /// <summary>The kernel's time; a <see cref="VirtualClock"/> unless the options name another.</summary>
    public TimeProvider Clock { get; }

    /// <summary>Nanoseconds since boot.</summary>
    public long NowNs
    {
        get
        {
            LockOrder.CallingOut("the clock");
            var now = Clock.GetTimestamp();

            // What others count goes through a double, which rounds after a hundred days.
            return (Clock is VirtualClock ? now - _bootTimestamp : Clock.GetElapsedTime(_bootTimestamp, now).Ticks)
                * TimeSpan.NanosecondsPerTick;
        }
    }

    /// <summary>The record of every reference.</summary>
    public Ledger Ledger { get; }

    /// <summary>RCU: what a reader can see is not freed under it.</summary>
    public RcuDomain Rcu { get; }

    /// <summary>RCU tasks trace: the flavour whose readers (sleepable programs) may sleep.</summary>
    public RcuDomain RcuTrace { get; }

    /// <summary>Work that runs in process context.</summary>
    public WorkQueue Work { get; }

    /// <summary>Work that runs in hard interrupt context.</summary>
    public WorkQueue IrqWork { get; }

    /// <summary>The cgroup v2 tree.</summary>
    public CgroupTree Cgroups { get; }

    /// <summary>The tasks.</summary>
    public TaskTable Tasks { get; }

    /// <summary>The tracked connections.</summary>
    public ConntrackTable Conntrack { get; }

    /// <summary>The sockets that packets can find.</summary>
    public SockTable Sockets { get; }

    /// <summary>Faults reported so far, oldest first; a copy.</summary>
    public IReadOnlyList<KernelFault> Faults => FaultDesk.All;

    /// <summary>Raised for every fault, with no lock of Kptr held.</summary>
    /// <remarks>
    /// On the thread that caused it, at once or as soon as that thread has left the operation's locks. A
    /// dropped reference is found by the finalizer, and raised by whoever drives deferred work next: the
    /// background thread or <see cref="Quiesce"/>. What a handler throws changes nothing for the operation that
    /// reports: the next <see cref="Quiesce"/> throws it. A fault that a handler itself causes is in
    /// <see cref="Faults"/> and is not raised.
    /// </remarks>
    public event EventHandler<KernelFault>? FaultReported
    {
        add => FaultDesk.Reported += value;
        remove => FaultDesk.Reported -= value;
    }

    /// <summary>Who is told when the kernel passes a tracepoint; set by what attaches programs.</summary>
    internal IHookSink? Hooks { get; set; }

    /// <summary>Destructor kfuncs of the user's own; null where there are none.</summary>
    internal IDestructors? Destructors { get; set; }

    internal MisuseChecks MisuseChecks { get; }

    internal KernelHeap Heap { get; }

    internal KernelMetrics Metrics { get; }

    internal DeferredEngine Deferred { get; }

    internal FaultDesk FaultDesk { get; }

    internal ILogger Log => Options.Logger;

    internal ThreadState Thread => _thread.Value!;

    internal ProgramScope? CurrentScope => _thread.Value!.Scope;

    /// <summary>
    /// The one <typeparamref name="T"/> of this kernel, made on first use: where a module of the
    /// user's own keeps its state.
    /// </summary>
    /// <param name="create">
    /// Makes it. Runs with no lock held: of threads that ask for the first time at once, several may run it; one result
    /// is kept for all, and the others are disposed of where they can be.
    /// </param>
    /// <typeparam name="T">What the module keeps.</typeparam>
    public T Single<T>(Func<KernelCore, T> create)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(create);
        if (_singles.TryGetValue(typeof(T), out var known))
        {
            return (T)known;
        }

        LockOrder.CallingOut("a factory");
        var made = create(this);
        var kept = _singles.GetOrAdd(typeof(T), made);
        if (kept != made)
        {
            (made as IDisposable)?.Dispose();
        }

        return (T)kept;
    }

    /// <summary>Opens a stretch of C# on this thread that must end with no reference of its own left.</summary>
    /// <param name="name">What reports call it; at most 511 characters.</param>
    /// <exception cref="ArgumentException">The name is longer.</exception>
    public ProgramScope EnterProgram(string name)
    {
        NameLimits.Check(name, NameLimits.SymbolMax);
        var thread = Thread;
        Ledger.ScopeEntered();
        return thread.Scope = new ProgramScope(this, name, NextRunId(), thread.Scope);
    }

    /// <summary>
    /// Runs everything that is deferred and due, until nothing is left: work, irq work, grace periods of both flavours.
    /// </summary>
    /// <remarks>
    /// Waits for readers of other threads. Time does not advance. Must not be called inside a reader. Throws, once all
    /// is done, what deferred work, timers and handlers threw since the last call: the exception itself, or an
    /// <see cref="AggregateException"/> of several.
    /// </remarks>
    public void Quiesce() => Deferred.Drain();

    /// <summary>Forgets the faults reported so far, for a test that expects them.</summary>
    /// <returns>What they were.</returns>
    public IReadOnlyList<KernelFault> TakeFaults() => FaultDesk.Take();

    /// <summary>Reports a fault of the modelled kernel.</summary>
    /// <exception cref="KernelFaultException">The options ask for faults to be thrown.</exception>
    public void Report(KernelFault fault) => FaultDesk.Report(fault);

    /// <summary>Version and CPUs.</summary>
    public override string ToString() => $"kernel {Spec.Profile.Name} ({CpuCount} CPUs, {Spec.Profile.Destroy} maps)";

    /// <summary>Stops background work. The objects' memory stays readable as long as something refers to it.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Holds this thread's faults back until the result is disposed, which must be after the locks are left.
    /// </summary>
    internal FaultHold HoldFaults() => new(this);

    internal long NextRunId() => Interlocked.Increment(ref _lastRunId);

    internal IReadOnlyList<RefRecord> LeaveScope(ProgramScope scope, ProgramScope? outer)
    {
        Thread.Scope = outer;
        Ledger.ScopeLeft();
        return Ledger.HeldBy(scope);
    }

    /// <summary>
    /// How a struct lies in memory, the fields included that the model keeps and this kernel's BTF lacks.
    /// </summary>
    internal ObjectLayout LayoutOf(
        string typeName, IReadOnlyList<FieldSpec> needed, int flexBytes = 0, bool holdsObjects = true,
        string? embedder = null) =>
        _layouts.GetOrAdd(
        typeName,
        static (name, a) => new(() => new(a.Core.Spec, a.Core.Heap, name, a.Needed, a.Flex, a.Holds, a.Embedder)),
        (Core: this, Needed: needed, Flex: flexBytes, Holds: holdsObjects, Embedder: embedder)).Value;

    /// <summary>The same for a new object of a type of the user's own.</summary>
    /// <exception cref="OutOfMemoryException">The fault plan wants it.</exception>
    [SuppressMessage("Usage", "CA2201", Justification = "stands for the runtime's")]
    internal ObjectLayout LayoutForNew(string typeName, string countField) =>
        IsOutOfMemory(typeName)
            ? throw new OutOfMemoryException($"the fault plan leaves no memory for a {typeName}")
            : LayoutOf(typeName, [FieldSpec.Count(countField)]);

    /// <summary>Whether the fault plan leaves no memory for an object that a kfunc makes.</summary>
    internal bool IsOutOfMemory(string typeName) =>
        Options.FaultPlan is { } plan && plan.Pass(FaultPoint.AllocObject.Name, typeName, null);

    /// <summary>Stops background work.</summary>
    /// <param name="disposing">True when called by <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            Deferred.Stop();
            Metrics.Dispose();
        }
    }
}
