using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>Which registers some path from an instruction on reads before it writes them.</summary>
/// <remarks>Kernel: <c>bpf_compute_live_registers</c> (7.2), registers alone.</remarks>
internal sealed class LiveRegisters
{
    private const int All = 0xffff;
    private readonly int[] _before;

    /// <summary>Finds them, backwards until nothing changes.</summary>
    /// <param name="insns">The instructions.</param>
    /// <param name="calls">How many arguments calls have.</param>
    public LiveRegisters(BpfInsn[] insns, ICallFacts calls)
    {
        _before = new int[insns.Length];
        var (uses, writes) = (new int[insns.Length], new int[insns.Length]);
        for (var i = 0; i < insns.Length; i++)
        {
            (uses[i], writes[i]) = Effect(insns[i], calls);
        }

        Span<int> next = stackalloc int[Flow.SuccessorsMax];
        for (var changed = true; changed;)
        {
            changed = false;
            for (var i = insns.Length - 1; i >= 0; i--)
            {
                var after = 0;
                foreach (var to in next[..Flow.Successors(insns, i, next)])
                {
                    after |= _before[to];
                }

                var before = (after & ~writes[i]) | uses[i];
                changed |= before != _before[i];
                _before[i] = before;
            }
        }
    }

    /// <summary>Registers that may be read from an instruction on, as a mask.</summary>
    public int Before(int insnIdx) => _before[insnIdx];

    private static (int Uses, int Writes) Effect(in BpfInsn insn, ICallFacts calls)
    {
        int dst = 1 << insn.Dst, src = 1 << insn.Src;
        var operand = (insn.Opcode & BpfOp.X) != 0 ? src : 0;
        var op = insn.Opcode & BpfOp.OpMask;
        return insn.Class switch
        {
            InsnClass.Ld => insn.Opcode == BpfOp.LdImm64 ? (0, dst) : (All, 0),
            InsnClass.Ldx => (src, dst),
            InsnClass.St => (dst, 0),
            InsnClass.Stx when insn.IsLoadAcquire => (src, dst),
            InsnClass.Stx => insn.IsAtomic ? Atomic(insn, dst, src) : (dst | src, 0),
            InsnClass.Alu or InsnClass.Alu64 => op switch
            {
                BpfOp.End => (dst, dst),
                BpfOp.Mov => (operand, dst),
                _ => (dst | operand, dst),
            },
            _ => op switch
            {
                BpfOp.Ja or BpfOp.Jcond => (0, 0),
                BpfOp.Exit => (1, 0),
                BpfOp.Call => (ArgsOf(insn, calls), (int)FastcallSpills.CallerSavedMask),
                _ => (dst | operand, 0),
            },
        };
    }

    private static (int Uses, int Writes) Atomic(in BpfInsn insn, int dst, int src) => insn.Imm switch
    {
        BpfOp.CmpXchg => (1 | dst | src, 1),
        _ => (dst | src, (insn.Imm & BpfOp.Fetch) != 0 ? src : 0),
    };

    private static int ArgsOf(in BpfInsn insn, ICallFacts calls) => ~1
        & (int)(insn.IsLocalCall ? FastcallSpills.CallerSavedMask : calls.ClobberedBy(insn, out _));
}
