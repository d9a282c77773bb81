using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>
/// What is known of registers on every path to a slot of one function: bounds of numbers, and distances from the frame
/// pointer and from the context.
/// </summary>
/// <remarks>
/// A fact, and a load or store whose address is in bounds by it needs no check: what makes it true are the program's
/// own instructions, whoever wrote them, and no verifier is believed. That an address was made from the frame pointer
/// is a guess at where it is likely to be, and decides which check comes first.
/// </remarks>
internal sealed class FrameFacts
{
    private const int JoinsMax = 6; // of one slot, before bounds that still move are given up
    private readonly RegFact[]?[] _before;
    private readonly int[] _joins;
    private readonly OpCode _code;

    /// <summary>Settles one function.</summary>
    /// <param name="func">Which.</param>
    /// <param name="layout">The program's functions.</param>
    /// <param name="code">Its instructions.</param>
    /// <param name="hasContext">Whether <c>r1</c> is the address of the context when the function begins.</param>
    internal FrameFacts(FuncLayout func, ProgLayout layout, OpCode code, bool hasContext)
    {
        _code = code;
        _before = new RegFact[code.Insns.Length][];
        _joins = new int[code.Insns.Length];
        var start = new RegFact[Machine.RegCount];
        Array.Fill(start, RegFact.Unknown);
        start[10] = RegFact.At(FactBase.Frame, 0, 0);
        start[1] = hasContext ? RegFact.At(FactBase.Context, 0, 0) : RegFact.Unknown;
        _before[func.Entry] = start;
        var after = new RegFact[Machine.RegCount];
        var there = new RegFact[Machine.RegCount];
        var open = new Queue<int>([func.Entry]);
        while (open.TryDequeue(out var slot))
        {
            After(slot, after);
            foreach (var next in layout.Next(slot))
            {
                after.CopyTo(there, 0);
                Narrow(slot, next, there);
                if (Join(next, there))
                {
                    open.Enqueue(next);
                }
            }
        }
    }

    /// <summary>What is known of a register before a slot runs.</summary>
    internal RegFact Before(int slot, int reg) => _before[slot]![reg];

    /// <summary>The register's distance from the frame pointer before the slot runs, or null.</summary>
    internal int? Off(int slot, int reg) =>
        Before(slot, reg) is { Base: FactBase.Frame, IsSingle: true } at ? (int)at.Near : null;

    /// <summary>Whether the register was made from the frame pointer.</summary>
    internal bool IsFrame(int slot, int reg) => Before(slot, reg).IsFrame;

    /// <summary>Whether so many bytes at a distance from the register are in the function's own frame.</summary>
    internal bool IsInFrame(int slot, int reg, int off, int sizeBytes) =>
        Before(slot, reg) is { Base: FactBase.Frame } at
        && at.Near + off >= -Machine.StackBytes && at.Far + off + sizeBytes <= 0;

    /// <summary>
    /// Where the context must end for so many bytes at a distance from the register to be in it; null where they may
    /// not be.
    /// </summary>
    internal ulong? ContextEnd(int slot, int reg, int off, int sizeBytes) =>
        Before(slot, reg) is { Base: FactBase.Context } at && at.Near + off >= 0
            ? (ulong)(at.Far + off + sizeBytes) : null;

    private void After(int slot, RegFact[] regs)
    {
        _before[slot]!.CopyTo(regs, 0);
        var insn = _code.Insns[slot];
        if (!_code.IsRunnable(slot))
        {
            return;
        }

        var (_, writes) = Liveness.Use(insn, isRaw: true);
        var result = insn.Class switch
        {
            InsnClass.Alu64 or InsnClass.Alu when !_code.IsArena(slot) => Alu(slot, insn, regs),
            InsnClass.Ld when insn.Opcode == BpfOp.LdImm64 => RegFact.Of(_code.ImmOf(slot)),
            InsnClass.Ldx when (insn.Opcode & BpfOp.ModeMask) != BpfOp.Memsx && insn.AccessBytes < sizeof(ulong) =>
                RegFact.Within(0, (1UL << (8 * insn.AccessBytes)) - 1),
            _ => RegFact.Unknown,
        };
        for (var reg = 0; reg < regs.Length - 1; reg++)
        {
            regs[reg] = (writes & (1 << reg)) != 0 ? result : regs[reg];
        }
    }

    private static RegFact Alu(int slot, BpfInsn insn, RegFact[] regs)
    {
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var result = FactOps.Alu(insn, regs[insn.Dst], isReg ? regs[insn.Src] : RegFact.Of((ulong)insn.Imm));
        if (!isReg || (insn.Opcode & BpfOp.OpMask) != BpfOp.Mov || insn.Off != 0 || insn.Src == (int)BpfReg.R10)
        {
            return result with { Copy = 0 };
        }

        if (insn.Class == InsnClass.Alu && regs[insn.Src] is not { Base: FactBase.Number, High: <= uint.MaxValue })
        {
            return result with { Copy = 0 }; // its upper half is lost
        }

        return result with { Copy = CopyOf(slot, insn.Src, regs) };
    }

    // A number for what a register and its copy hold. What bears the same from an earlier round holds another value.
    private static int CopyOf(int slot, int reg, RegFact[] regs)
    {
        if (regs[reg].Copy == 0)
        {
            for (var i = 0; i < regs.Length; i++)
            {
                regs[i] = regs[i].Copy == slot + 1 ? regs[i] with { Copy = 0 } : regs[i];
            }

            regs[reg] = regs[reg] with { Copy = slot + 1 };
        }

        return regs[reg].Copy;
    }

    /// <summary>Adds what a jump says where control goes from it to <paramref name="next"/>.</summary>
    private void Narrow(int slot, int next, RegFact[] regs)
    {
        var insn = _code.Insns[slot];
        if (insn.Class is not (InsnClass.Jmp or InsnClass.Jmp32) || !_code.IsRunnable(slot)
            || _code.TargetOf(slot) is not { } target || target == slot + 1
            || (insn.Opcode & BpfOp.OpMask) is BpfOp.Ja or BpfOp.Call or BpfOp.Exit or BpfOp.Jcond or BpfOp.Jset)
        {
            return;
        }

        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var imm = insn.Class == InsnClass.Jmp ? (ulong)insn.Imm : (uint)insn.Imm;
        var (dst, src) = FactOps.Jump(
            insn, regs[insn.Dst], isReg ? regs[insn.Src] : RegFact.Of(imm), isTaken: next == target);
        Set(regs, insn.Dst, dst);
        if (isReg && insn.Src != insn.Dst)
        {
            Set(regs, insn.Src, src);
        }
    }

    private static void Set(RegFact[] regs, int reg, RegFact fact)
    {
        var copy = regs[reg].Copy;
        for (var i = 0; i < regs.Length; i++)
        {
            regs[i] = i == reg || (copy != 0 && regs[i].Copy == copy) ? fact : regs[i];
        }
    }

    /// <summary>Adds a path to a slot.</summary>
    /// <returns>Whether less is known of it now.</returns>
    private bool Join(int slot, RegFact[] regs)
    {
        if (_before[slot] is not { } known)
        {
            _before[slot] = (RegFact[])regs.Clone();
            return true;
        }

        var isChanged = false;
        var isLate = _joins[slot] >= JoinsMax;
        for (var reg = 0; reg < regs.Length; reg++)
        {
            if (known[reg] == regs[reg])
            {
                continue;
            }

            var joined = RegFact.Join(known[reg], regs[reg]);
            joined = isLate ? RegFact.Widen(known[reg], joined) : joined;
            isChanged |= joined != known[reg];
            known[reg] = joined;
        }

        _joins[slot] += isChanged ? 1 : 0;
        return isChanged;
    }
}
