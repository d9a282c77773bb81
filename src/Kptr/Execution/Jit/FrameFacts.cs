using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>
/// What is known of registers as addresses in the function's own frame, on every path to a slot: the distance from the
/// frame pointer, or only that they were made from it.
/// </summary>
/// <remarks>
/// A distance is a fact, and a store at it needs no check. "Made from it" is a guess at where an address is likely to
/// be, and decides which check comes first.
/// </remarks>
internal sealed class FrameFacts
{
    private const int Unknown = int.MinValue;
    private const int Somewhere = int.MinValue + 1;
    private readonly Dictionary<int, int[]> _before = [];
    private readonly OpCode _code;

    /// <summary>Settles one function.</summary>
    internal FrameFacts(FuncLayout func, ProgLayout layout, OpCode code)
    {
        _code = code;
        var start = new int[Machine.RegCount];
        Array.Fill(start, Unknown);
        start[10] = 0;
        _before[func.Entry] = start;
        var after = new int[Machine.RegCount];
        var open = new Queue<int>([func.Entry]);
        while (open.TryDequeue(out var slot))
        {
            After(slot, after);
            foreach (var next in layout.Next(slot))
            {
                if (Join(next, after))
                {
                    open.Enqueue(next);
                }
            }
        }
    }

    /// <summary>The register's distance from the frame pointer before the slot runs, or null.</summary>
    internal int? Off(int slot, int reg) => _before[slot][reg] is var off && off > Somewhere ? off : null;

    /// <summary>Whether the register was made from the frame pointer.</summary>
    internal bool IsFrame(int slot, int reg) => _before[slot][reg] != Unknown;

    private void After(int slot, int[] regs)
    {
        _before[slot].CopyTo(regs, 0);
        var insn = _code.Insns[slot];
        if (!_code.IsRunnable(slot))
        {
            return;
        }

        var (_, writes) = Liveness.Use(insn, isRaw: true);
        var result = insn.Class == InsnClass.Alu64 ? Alu(insn, regs) : Unknown;
        for (var reg = 0; reg < regs.Length - 1; reg++)
        {
            regs[reg] = (writes & (1 << reg)) != 0 ? result : regs[reg];
        }
    }

    private static int Alu(BpfInsn insn, int[] regs)
    {
        var dst = regs[insn.Dst];
        var src = (insn.Opcode & BpfOp.X) != 0 ? regs[insn.Src] : Unknown;
        return (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Mov => insn.Off == 0 ? src : Unknown,
            BpfOp.Add when (insn.Opcode & BpfOp.X) == 0 && dst > Somewhere => Near(dst + (long)insn.Imm),
            BpfOp.Add => dst == Unknown && src == Unknown ? Unknown : Somewhere,
            BpfOp.Sub when dst != Unknown => Somewhere,
            _ => Unknown,
        };
    }

    private static int Near(long off) => Math.Abs(off) <= Machine.FramesMax * Machine.StackBytes ? (int)off : Somewhere;

    /// <summary>Adds a path to a slot.</summary>
    /// <returns>Whether less is known of it now.</returns>
    private bool Join(int slot, int[] regs)
    {
        if (!_before.TryGetValue(slot, out var known))
        {
            _before[slot] = (int[])regs.Clone();
            return true;
        }

        var isChanged = false;
        for (var reg = 0; reg < regs.Length; reg++)
        {
            var joined = known[reg] == regs[reg] ? regs[reg]
                : known[reg] == Unknown || regs[reg] == Unknown ? Unknown : Somewhere;
            isChanged |= joined != known[reg];
            known[reg] = joined;
        }

        return isChanged;
    }
}
