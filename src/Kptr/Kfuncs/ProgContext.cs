using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>One run of a program, as the kfuncs and helpers it calls and the ledger see it.</summary>
/// <remarks>
/// Belongs to the thread that runs the program, which is inside of it from its making until <see cref="End"/>. What
/// nobody can have kept is used again for another run of that thread.
/// </remarks>
public sealed class ProgContext : IProgramRun
{
    private readonly Kptr.Objects.ThreadState _thread;
    private readonly int _threadId = Environment.CurrentManagedThreadId;
    private IProgramRun? _outer;
    private ProgContext? _nextSpare;
    private bool _isKept;
    private ICallbackRunner? _callbacks;
    private Dictionary<BpfMap, ulong>? _valuesOfRun;
    private OpenIterators? _iterators;

    internal ProgContext(KernelCore core, ProgSpec prog, int cpu = 0, ProgHost? host = null)
        : this(core, host ?? new(core), core.Thread) => Begin(prog, cpu);

    private ProgContext(KernelCore core, ProgHost host, Kptr.Objects.ThreadState thread) =>
        (Core, Host, _thread, Prog) = (core, host, thread, null!);

    /// <summary>Begins a run on this thread, whose state the caller has at hand.</summary>
    internal static ProgContext Of(ProgHost host, Kptr.Objects.ThreadState thread, ProgSpec prog)
    {
        if (thread.SpareContexts is ProgContext ctx)
        {
            thread.SpareContexts = ctx._nextSpare;
            ctx._nextSpare = null;
            (ctx.Core, ctx.Host) = (host.Core, host);
        }
        else
        {
            ctx = new(host.Core, host, thread);
        }

        ctx.Begin(prog, thread.Cpu);
        return ctx;
    }

    /// <summary>The kernel it runs in.</summary>
    public KernelCore Core { get; private set; }

    /// <summary>The CPU the program runs on.</summary>
    public int Cpu { get; private set; }

    /// <summary>Which run of this kernel it is, from 1.</summary>
    public long RunId { get; private set; }

    /// <summary>The task on whose behalf the program runs.</summary>
    public TaskStruct Current => Core.Tasks.Current;

    /// <summary>Memory that the program passed to a kfunc, to be read.</summary>
    /// <param name="address">The register's value.</param>
    /// <param name="sizeBytes">How many bytes the kfunc will read.</param>
    /// <returns>The program's own bytes, good until the kfunc returns.</returns>
    /// <exception cref="ProgramFaultException">Some of the bytes are not the program's to read; the run ends
    /// with a fault.</exception>
    public ReadOnlySpan<byte> ReadMemory(ulong address, int sizeBytes) => Memory(address, sizeBytes, isWrite: false);

    /// <summary>Memory that the program passed to a kfunc, to be written.</summary>
    /// <param name="address">The register's value.</param>
    /// <param name="sizeBytes">How many bytes the kfunc will write.</param>
    /// <returns>The program's own bytes, good until the kfunc returns.</returns>
    /// <exception cref="ProgramFaultException">Some of the bytes are not the program's to write, or are what the kernel
    /// itself goes by: special fields of values and allocated objects, counts and list links of kernel objects. The
    /// run ends with a fault.</exception>
    public Span<byte> WriteMemory(ulong address, int sizeBytes) => Memory(address, sizeBytes);

    /// <summary>Reads a value from memory that the program passed, as <see cref="ReadMemory"/>.</summary>
    /// <param name="address">The register's value.</param>
    /// <typeparam name="T">The value's type, laid out as in C.</typeparam>
    public T Read<T>(ulong address)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        return MemoryMarshal.Read<T>(Memory(address, Unsafe.SizeOf<T>(), isWrite: false));
    }

    /// <summary>Writes a value into memory that the program passed, as <see cref="WriteMemory"/>.</summary>
    /// <param name="address">The register's value.</param>
    /// <param name="value">The value.</param>
    /// <typeparam name="T">The value's type, laid out as in C.</typeparam>
    public void Write<T>(ulong address, T value)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        MemoryMarshal.Write(Memory(address, Unsafe.SizeOf<T>()), in value);
    }

    /// <summary>Memory that the program passed, checked against what it may touch.</summary>
    internal unsafe Span<byte> Memory(ulong address, int sizeBytes, bool isWrite = true)
    {
        if (sizeBytes < 0 || !Callbacks.IsAccessible(address, sizeBytes, isWrite)
            || (isWrite && Core.IsKept(address, sizeBytes)))
        {
            throw new ProgramFaultException(
                DiagCode.CallBadMemory, $"{(isWrite ? "write" : "read")} of {sizeBytes} bytes at {address:x}");
        }

        return new((void*)address, sizeBytes);
    }

    /// <summary>The linked program; after a tail call, that one.</summary>
    internal ProgSpec Prog { get; set; }

    /// <summary>
    /// The live maps of <see cref="ProgSpec.Maps"/>, by the same index; a map that was not created is null.
    /// </summary>
    internal ImmutableArray<BpfMap?> Maps { get; set; } = [];

    /// <summary>What it shares with the other runs of this kernel.</summary>
    internal ProgHost Host { get; private set; }

    /// <summary>What the system call around a cgroup program is going to return.</summary>
    internal int Retval { get; set; }

    /// <summary>The program as what callbacks set for later pin; null for instructions that nobody loaded.</summary>
    internal ProgObject? Program { get; set; }

    /// <summary>What raised a tracing program, and what it may ask about that.</summary>
    internal ProgEvent Event { get; set; }

    /// <summary>Where the output of an iterator program goes; null for others.</summary>
    internal SeqFile? Seq { get; set; }

    /// <summary>The parameter of the kernel that is read or written; null for programs that watch none.</summary>
    internal SysctlAccess? Sysctl { get; set; }

    /// <summary>The packet it works on; null for programs that have none.</summary>
    internal RunPacket? Packet { get; set; }

    /// <summary>Its open-coded iterators over kernel objects.</summary>
    internal OpenIterators Iterators => _iterators ??= new();

    /// <summary><c>bpf_rcu_read_lock</c> sections that the program has open.</summary>
    internal int RcuDepth { get; set; }

    /// <summary>Address of the <c>bpf_spin_lock</c> that the program holds; 0 for none.</summary>
    internal ulong HeldLock { get; set; }

    /// <summary><c>bpf_preempt_disable</c> sections that the program has open.</summary>
    internal int PreemptDepth { get; set; }

    /// <summary>
    /// The machine that runs it, which is here from before the first instruction until the run ends; else that of who
    /// has none.
    /// </summary>
    internal ICallbackRunner Callbacks
    {
        get => _callbacks ?? Host.NoMachine;
        set => _callbacks = value;
    }

    /// <summary>This thread's state in the kernel.</summary>
    internal Kptr.Objects.ThreadState Thread => _thread;

    /// <summary>The call instruction being executed; the machine keeps it up to date before every call.</summary>
    internal int InsnIdx { get; set; }

    /// <summary>False once the program has returned, see <see cref="End"/>.</summary>
    internal bool IsActive { get; set; } = true;

    string IProgramRun.ProgName => Prog.Name;

    RefSite IProgramRun.Site => Site;

    bool IProgramRun.IsActive => IsActive;

    internal RefSite Site => SiteOf(InsnIdx);

    // Registers and stack change while the program runs, and go with the run: only its own thread may look.
    void IProgramRun.Keep() => Keep();

    string? IProgramRun.Locate(ulong address) =>
        IsActive && Environment.CurrentManagedThreadId == _threadId ? _callbacks?.Locate(address) : null;

    /// <summary>An instruction of this program as a place.</summary>
    internal RefSite SiteOf(int insnIdx) =>
        new(LineAt(insnIdx)?.File ?? "", LineAt(insnIdx)?.Line ?? 0, Prog.Name, insnIdx);

    /// <summary>The context of another run of the same program: a callback that runs later, on its own.</summary>
    internal ProgContext Again() => new(Core, Prog, Core.CurrentCpu, Host) { Maps = Maps, Program = Program };

    /// <summary>The object that a register points to, without a reference; null for 0.</summary>
    /// <exception cref="ProgramFaultException">There is no live object of that kind.</exception>
    public T? ObjectAt<T>(ulong address)
        where T : KernelObject
    {
        if (address == 0)
        {
            return null;
        }

        return Core.Heap.FindObject(address) as T ?? throw new ProgramFaultException(
            DiagCode.CallBadObject, $"{address:x} is no live {typeof(T).Name}");
    }

    /// <summary>Takes away a reference that the program holds and gives up; null for 0.</summary>
    public KernelRef<T>? TakeRef<T>(ulong address)
        where T : KernelObject =>
        ObjectAt<T>(address) is null ? null : ProgramRefs.FromRegister<T>(Core, address, this);

    /// <summary>Run, program and CPU.</summary>
    public override string ToString() => $"run {RunId} of program \"{Prog.Name}\" on CPU {Cpu}";

    /// <summary>Hands a reference to the program; the register's value.</summary>
    public ulong GiveRef<T>([TakesOwnership] KernelRef<T>? reference)
        where T : KernelObject => ProgramRefs.ToRegister(reference, this);

    /// <summary>The map whose pointer the program passed.</summary>
    /// <exception cref="ProgramFaultException">There is no such map.</exception>
    internal BpfMap MapAt(ulong address) => BpfMap.FromAddress(Core, address)
        ?? throw new ProgramFaultException(DiagCode.CallBadObject, $"{address:x} is no map");

    /// <summary>Memory of live kernel objects and map values, which kfuncs may write where programs may not.</summary>
    /// <exception cref="ProgramFaultException">Some of the bytes are in no live object.</exception>
    internal unsafe Span<byte> KernelMemory(ulong address, int sizeBytes)
    {
        if (!Core.Heap.TryFindRegion(address, sizeBytes, out var region) || region.State != HeapState.Live)
        {
            throw new ProgramFaultException(
                DiagCode.CallBadObject, $"{sizeBytes} bytes at {address:x} are in no live object");
        }

        return new((void*)address, sizeBytes);
    }

    /// <summary>A value of a map that is there for this run only, zeroed when it is first asked for.</summary>
    internal unsafe ulong ValueOfRun(BpfMap map)
    {
        _valuesOfRun ??= [];
        if (!_valuesOfRun.TryGetValue(map, out var value))
        {
            value = Core.Heap.AllocateBlock($"value of {map.Name}", map.ValueSize);
            new Span<byte>((void*)value, map.ValueSize).Clear();
            _valuesOfRun.Add(map, value);
        }

        return value;
    }

    /// <summary>Somebody may ask for this context once the run has ended: it is not used for another run.</summary>
    internal void Keep() => _isKept = true;

    private void Begin(ProgSpec prog, int cpu)
    {
        (Prog, Cpu, RunId, IsActive) = (prog, cpu, Core.NextRunId(), true);
        _outer = _thread.Run;
        _thread.Run = this;
    }

    /// <summary>Ends the run, and lets another of this thread have the context unless somebody kept it.</summary>
    internal void EndForGood()
    {
        End();
        _callbacks = null;
        _outer = null;
        if (_isKept)
        {
            return;
        }

        (Maps, Program, Event, Seq, Packet, _iterators, Prog) = ([], null, default, null, null, null, null!);
        (Retval, InsnIdx, Sysctl) = (0, 0, null);
        (Core, Host) = (null!, null!); // the thread's state would keep the kernel
        _nextSpare = _thread.SpareContexts as ProgContext;
        _thread.SpareContexts = this;
    }

    /// <summary>
    /// Closes what the program left open, so that a fault in it does not disturb the thread it ran on.
    /// </summary>
    internal void End()
    {
        IsActive = false;
        _thread.Run = _outer;
        _iterators?.CloseAll();
        if (HeldLock != 0)
        {
            KernelSpinLock.Unlock(Core, HeldLock);
            HeldLock = 0;
        }

        for (; RcuDepth > 0; RcuDepth--)
        {
            Core.Rcu.TryLeave();
        }

        _thread.PreemptDepth -= PreemptDepth;
        PreemptDepth = 0;
        FreeValuesOfRun();
    }

    private void FreeValuesOfRun()
    {
        if (_valuesOfRun is null)
        {
            return;
        }

        foreach (var value in _valuesOfRun.Values)
        {
            Core.Heap.TryFree(value);
        }

        _valuesOfRun = null;
    }

    private LineInfo? LineAt(int insnIdx)
    {
        var lines = Prog.LineInfos;
        var (low, high) = (0, lines.Length);
        while (low < high)
        {
            var mid = (low + high) / 2;
            (low, high) = lines[mid].InsnIdx <= insnIdx ? (mid + 1, high) : (low, mid);
        }

        return low == 0 ? null : lines[low - 1];
    }
}
