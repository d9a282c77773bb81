using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>Which registers each slot's successors still read.</summary>
internal sealed class Liveness
{
    private const int Args = 0b11_1110;
    private readonly ProgLayout _layout;
    private readonly OpCode _code;
    private readonly bool _isRaw;
    private readonly int[] _live;

    /// <summary>Settles all functions of a program.</summary>
    /// <param name="layout">Its functions.</param>
    /// <param name="code">Its instructions.</param>
    /// <param name="isRaw">Whether nothing is known of it. A verified program sets what it returns and what it passes,
    /// so exits and calls that leave it need not count as readers of whatever is there.</param>
    internal Liveness(ProgLayout layout, OpCode code, bool isRaw)
    {
        _layout = layout;
        _code = code;
        _isRaw = isRaw;
        _live = new int[code.Insns.Length];

        // What a function reads of its arguments, its callers read at their calls.
        bool isChanged;
        do
        {
            isChanged = false;
            foreach (var func in layout.Funcs)
            {
                isChanged |= Settle(func);
            }
        }
        while (isChanged);
    }

    /// <summary>
    /// Whether functions read no register that their caller left but the arguments, and callers no argument
    /// register after a call.
    /// </summary>
    internal bool KeepsToArguments(IEnumerable<int> callees) =>
        callees.All(slot => (_live[slot] & ~Args) == 0)
        && _layout.Funcs.SelectMany(f => f.Slots)
            .Where(slot => _code.IsRunnable(slot) && _code.Insns[slot].IsLocalCall)
            .All(slot => (After(slot) & Args) == 0);

    /// <returns>Whether more is known now.</returns>
    private bool Settle(FuncLayout func)
    {
        bool isChanged, wasChanged = false;
        do
        {
            isChanged = false;
            foreach (var slot in func.Slots.Reverse())
            {
                var live = Before(slot);
                isChanged |= live != _live[slot];
                _live[slot] = live;
            }

            wasChanged |= isChanged;
        }
        while (isChanged);
        return wasChanged;
    }

    private int After(int slot) => _layout.Next(slot).Aggregate(0, (all, s) => all | _live[s]);

    private int Before(int slot)
    {
        var insn = _code.Insns[slot];
        if (!_code.IsRunnable(slot))
        {
            return 0;
        }

        var (reads, writes) = Use(insn, _isRaw);
        if (insn.IsLocalCall && _code.TargetOf(slot) is { } target)
        {
            reads = _live[target] & Args;
        }

        return (After(slot) & ~writes) | reads;
    }

    /// <summary>The registers that an instruction reads and writes, as bits; without the frame pointer.</summary>
    internal static (int Reads, int Writes) Use(BpfInsn insn, bool isRaw)
    {
        var (dst, src) = (1 << insn.Dst, 1 << insn.Src);
        var usesSrc = (insn.Opcode & BpfOp.X) != 0 ? src : 0;
        var (reads, writes) = insn.Class switch
        {
            InsnClass.Alu or InsnClass.Alu64 when (insn.Opcode & BpfOp.OpMask) == BpfOp.Mov => (usesSrc, dst),
            InsnClass.Alu or InsnClass.Alu64 when (insn.Opcode & BpfOp.OpMask) == BpfOp.End => (dst, dst),
            InsnClass.Alu or InsnClass.Alu64 => (usesSrc | dst, dst),
            InsnClass.Ldx => (src, dst),
            InsnClass.St => (dst, 0),
            InsnClass.Stx when insn.IsLoadAcquire => (src, dst),
            InsnClass.Stx when insn.IsAtomic => Atomic(insn, dst, src),
            InsnClass.Stx => (dst | src, 0),
            InsnClass.Ld when insn.Opcode == BpfOp.LdImm64 => (0, dst),
            InsnClass.Ld => (src, 1),
            _ => Jump(insn, dst, usesSrc, isRaw),
        };
        return (reads & ~(1 << 10), writes);
    }

    private static (int Reads, int Writes) Atomic(BpfInsn insn, int dst, int src) =>
        insn.Imm == BpfOp.CmpXchg ? (dst | src | 1, 1)
        : (insn.Imm & BpfOp.Fetch) != 0 ? (dst | src, src)
        : (dst | src, 0);

    private static (int Reads, int Writes) Jump(BpfInsn insn, int dst, int src, bool isRaw) =>
        (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Exit => (isRaw ? 1 : 0, 0),
            BpfOp.Call when insn.IsLocalCall => (Args, 1),
            BpfOp.Call => (isRaw ? Args | dst : 0, 1),
            BpfOp.Ja or BpfOp.Jcond => (0, 0),
            _ => (dst | src, 0),
        };
}
