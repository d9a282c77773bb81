using System.Diagnostics.CodeAnalysis;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Context;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>One verification: the program, what is known of its instructions, and the state being explored.</summary>
/// <remarks>
/// Kernel: <c>struct bpf_verifier_env</c>. The parts are partial files by role; one thread, used once.
/// </remarks>
internal sealed partial class VerifierRun
{
    private readonly BtfDeclTags? _declTags;
    private CodeMarks[] _marks = [];
    private FastcallSpills _fastcalls = new([], new(0));
    private readonly CallTable _callees;
    private ContextRules _context;
    private ReturnRanges _returns;
    private StructWrites _structWrites;
    private int _idGen;

    public VerifierRun(ProgSpec prog, KernelSpec kernel, VerifyOptions options)
    {
        Prog = prog;
        Kernel = kernel;
        Options = options;
        Numbers = kernel.Profile.RangesAreArcs ? ArcRules.Instance
            : kernel.Profile.DeducesBounds ? EndRules.Instance : EarlyRules.Instance;
        Insns = [.. prog.Insns];
        Aux = new InsnAux[Insns.Length];
        _proven = new ProvenAccess[options.ProvesAccesses ? Insns.Length : 0];
        AllowPtrLeaks = AllowUninitStack = BpfCapable = options.Privileged;
        StrictAlignment = (prog.LoadFlags & LoadFlagBits.StrictAlignment) != 0;
        TestStateFreq = options.TestStateFreq || (BpfCapable && (prog.LoadFlags & LoadFlagBits.TestStateFreq) != 0);
        _comparer = new(allowUninitStack: options.Privileged, ignoresPrecision: options.Beliefs is not null)
        {
            ComparesUnwritten = !ClosesLoopsByShape,
            StatesAreClean = kernel.Profile.HasStaticLiveness,
            WidensByValue = kernel.Profile.WidensByValue,
        };
        _explored = new(Pool, _comparer, BpfCapable, options.Pruning, TestStateFreq)
        {
            ForgetsLoneIds = kernel.Profile.ForgetsLoneIds,
            StatesAreClean = kernel.Profile.HasStaticLiveness,
        };
        Log = new VerifierLog(options.LogLevel);
        RunType = prog.Type;
        _callees = new(prog, kernel, Insns, BpfCapable);
        AttachTo(null);
        TrackPrecision();
        _declTags = prog.Btf is { } btf ? new(btf) : null;
    }

    public ProgSpec Prog { get; }

    public KernelSpec Kernel { get; }

    public VerifyOptions Options { get; }

    /// <summary>How this kernel computes with ranges of numbers.</summary>
    public ScalarRules Numbers { get; }

    public KernelTypes Types => Kernel.Types;

    public BtfSpec Vmlinux => Kernel.Types.Vmlinux;

    public BpfInsn[] Insns { get; }

    public InsnAux[] Aux { get; }

    /// <summary>The functions of the program by rising start; 0 is the entry.</summary>
    public SubprogTable Subprogs { get; private set; } = new(0);

    /// <summary>Where the program runs; its target is known once the code's shape is.</summary>
    public Hook Hook { get; private set; }

    public VerifierLog Log { get; }

    public StatePool Pool { get; } = new();

    /// <summary>The state being explored.</summary>
    public VerifierState Cur { get; private set; } = new();

    public int InsnIdx { get; set; }

    public int PrevInsnIdx { get; set; }

    /// <summary>The program type whose rules apply (<c>resolve_prog_type</c>).</summary>
    public ProgType RunType { get; }

    public bool AllowPtrLeaks { get; }

    public bool AllowUninitStack { get; }

    public bool BpfCapable { get; }

    public bool StrictAlignment { get; }

    public bool TestStateFreq { get; }

    /// <summary>Set once a program writes to the packet.</summary>
    public bool SeenDirectWrite { get; set; }

    public bool SeenException { get; set; }

    /// <summary>Whether some scalars are always precise (unprivileged).</summary>
    public bool AlwaysPrecise => !BpfCapable;

    /// <summary>A register of the innermost frame.</summary>
    public ref RegState Reg(int regno) => ref Cur.Cur.Regs[regno];

    [MemberNotNull(nameof(Hook), nameof(_context), nameof(_returns), nameof(_structWrites))]
    private void AttachTo(AttachTarget? target)
    {
        Hook = new(Prog, Kernel, target);
        _context = new(Hook, BpfCapable, Log);
        _returns = new(Hook);
        _structWrites = new(Hook);
    }

    private bool IsMarked(int insnIdx, CodeMarks mark) => (_marks[insnIdx] & mark) != 0;

    /// <summary>A fresh id for a pointer, reference or linked scalar.</summary>
    public int NewId() => ++_idGen;

    /// <summary>Refuses the program.</summary>
    [DoesNotReturn]
    public void Reject(DiagCode code, string message, int reg = -1, Errno errno = Errno.EINVAL) =>
        throw new RejectException(MakeDiagnostic(code, message, reg), errno);

    /// <summary>Gives up on the program: it uses something that is not modelled.</summary>
    [DoesNotReturn]
    public void Unsupported(DiagCode code, string message) =>
        throw new RejectException(MakeDiagnostic(code, message, -1), Errno.EOPNOTSUPP);

    /// <summary>A bug of ours, where the kernel says <c>verifier bug</c>.</summary>
    [DoesNotReturn]
    public static void Bug(string what) => Invariant.Fail(what);

    private Diagnostic MakeDiagnostic(DiagCode code, string message, int reg) => new(code, message)
    {
        InsnIdx = InsnIdx,
        Reg = reg < 0 ? null : reg,
        Source = SourceAt(InsnIdx),
    };
}

/// <summary>Bits of <see cref="ProgSpec.LoadFlags"/> (<c>BPF_F_*</c> of BPF_PROG_LOAD).</summary>
internal static class LoadFlagBits
{
    public const uint StrictAlignment = 1u << 0;
    public const uint AnyAlignment = 1u << 1;
    public const uint TestRndHi32 = 1u << 2;
    public const uint TestStateFreq = 1u << 3;
    public const uint Sleepable = 1u << 4;
    public const uint XdpHasFrags = 1u << 5;
    public const uint XdpDevBoundOnly = 1u << 6;
    public const uint TestRegInvariants = 1u << 7;
}
