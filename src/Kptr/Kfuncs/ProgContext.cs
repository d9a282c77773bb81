using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>One run of a program, as the kfuncs and helpers it calls and the ledger see it.</summary>
/// <remarks>Belongs to the thread that runs the program.</remarks>
public sealed class ProgContext : IProgramRun
{
    private ICallbackRunner? _callbacks;

    internal ProgContext(KernelCore core, ProgSpec prog, int cpu = 0)
    {
        Core = core;
        Prog = prog;
        Cpu = cpu;
        RunId = core.NextRunId();
    }

    /// <summary>The kernel it runs in.</summary>
    public KernelCore Core { get; }

    /// <summary>The CPU the program runs on.</summary>
    public int Cpu { get; }

    /// <summary>Which run of this kernel it is, from 1.</summary>
    public long RunId { get; }

    /// <summary>The linked program.</summary>
    internal ProgSpec Prog { get; }

    /// <summary>The machine that runs it, which puts itself here before the first instruction.</summary>
    internal ICallbackRunner Callbacks
    {
        get => _callbacks ?? throw new InvariantException("a kfunc runs before its machine is there");
        set => _callbacks = value;
    }

    /// <summary>The call instruction being executed; the machine keeps it up to date before every call.</summary>
    internal int InsnIdx { get; set; }

    /// <summary>False once the program has returned; the machine says so.</summary>
    internal bool IsActive { get; set; } = true;

    /// <summary>C source file of the current instruction, empty without line info.</summary>
    internal string SourceFile => LineAt(InsnIdx)?.File ?? "";

    /// <summary>C source line of the current instruction, 0 without line info.</summary>
    internal int SourceLine => LineAt(InsnIdx)?.Line ?? 0;

    string IProgramRun.ProgName => Prog.Name;

    RefSite IProgramRun.Site => Site;

    bool IProgramRun.IsActive => IsActive;

    internal RefSite Site => new(SourceFile, SourceLine, Prog.Name, InsnIdx);

    string? IProgramRun.Locate(ulong address) => _callbacks?.Locate(address);

    /// <summary>The object that a register points to, without a reference; null for 0.</summary>
    /// <exception cref="ProgramFaultException">There is no live object of that kind.</exception>
    internal T? ObjectAt<T>(ulong address)
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
    internal KernelRef<T>? TakeRef<T>(ulong address)
        where T : KernelObject =>
        ObjectAt<T>(address) is null ? null : ProgramRefs.FromRegister<T>(Core, address, this);

    /// <summary>Hands a reference to the program; the register's value.</summary>
    internal ulong GiveRef<T>(KernelRef<T>? reference)
        where T : KernelObject => ProgramRefs.ToRegister(reference, this);

    /// <summary>Memory that the program passed, checked against what it may touch.</summary>
    /// <exception cref="ProgramFaultException">Some of the bytes are not the program's to touch.</exception>
    internal unsafe Span<byte> Memory(ulong address, int sizeBytes, bool isWrite = true)
    {
        if (sizeBytes < 0 || !Callbacks.IsAccessible(address, sizeBytes, isWrite))
        {
            throw new ProgramFaultException(
                DiagCode.CallBadMemory, $"{(isWrite ? "write" : "read")} of {sizeBytes} bytes at {address:x}");
        }

        return new((void*)address, sizeBytes);
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
