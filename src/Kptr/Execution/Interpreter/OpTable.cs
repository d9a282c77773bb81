using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>Which handler runs an instruction. Handlers are compiled when they are first run, so naming all costs nothing.</summary>
internal static unsafe class OpTable
{
    /// <summary>The handler of an arithmetic instruction, or null for none.</summary>
    internal static delegate*<Op*, Machine*, Op*> Alu(BpfInsn insn)
    {
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        if ((insn.Opcode & BpfOp.OpMask) == BpfOp.End)
        {
            return End(insn);
        }

        return insn.Class == InsnClass.Alu64
            ? (isReg ? Alu64<FromReg>(insn) : Alu64<FromImm>(insn))
            : (isReg ? Alu32<FromReg>(insn) : Alu32<FromImm>(insn));
    }

    /// <summary>The handler of a conditional jump, or null for none.</summary>
    internal static delegate*<Op*, Machine*, Op*> Jump(BpfInsn insn, bool isBack)
    {
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var op = insn.Opcode & BpfOp.OpMask;
        return insn.Class == InsnClass.Jmp
            ? (isReg ? Jump64<FromReg>(op, isBack) : Jump64<FromImm>(op, isBack))
            : (isReg ? Jump32<FromReg>(op, isBack) : Jump32<FromImm>(op, isBack));
    }

    /// <summary>The handler of a load, or null for none.</summary>
    internal static delegate*<Op*, Machine*, Op*> Load(BpfInsn insn)
    {
        var isSigned = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Memsx;
        return (insn.Opcode & BpfOp.SizeMask) switch
        {
            BpfOp.B => isSigned ? &Handlers.Load<MemSx8> : &Handlers.Load<Mem8>,
            BpfOp.H => isSigned ? &Handlers.Load<MemSx16> : &Handlers.Load<Mem16>,
            BpfOp.W => isSigned ? &Handlers.Load<MemSx32> : &Handlers.Load<Mem32>,
            _ => isSigned ? null : &Handlers.Load<Mem64>,
        };
    }

    /// <summary>The handler of a store or an atomic, or null for none.</summary>
    internal static delegate*<Op*, Machine*, Op*> Store(BpfInsn insn)
    {
        if ((insn.Opcode & BpfOp.ModeMask) == BpfOp.Atomic)
        {
            return (insn.Opcode & BpfOp.SizeMask) == BpfOp.Dw ? &Handlers.Atomic<Mem64> : &Handlers.Atomic<Mem32>;
        }

        return insn.Class == InsnClass.Stx ? Store<FromReg>(insn.Opcode) : Store<FromImm>(insn.Opcode);
    }

    private static delegate*<Op*, Machine*, Op*> Store<TSrc>(byte opcode)
        where TSrc : struct, IOperand => (opcode & BpfOp.SizeMask) switch
        {
            BpfOp.B => &Handlers.Store<Mem8, TSrc>,
            BpfOp.H => &Handlers.Store<Mem16, TSrc>,
            BpfOp.W => &Handlers.Store<Mem32, TSrc>,
            _ => &Handlers.Store<Mem64, TSrc>,
        };

    private static delegate*<Op*, Machine*, Op*> Alu64<TSrc>(BpfInsn insn)
        where TSrc : struct, IOperand => (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Add => &Handlers.Alu<Add64, TSrc>,
            BpfOp.Sub => &Handlers.Alu<Sub64, TSrc>,
            BpfOp.Mul => &Handlers.Alu<Mul64, TSrc>,
            BpfOp.Div => insn.Off == 0 ? &Handlers.Alu<Div64, TSrc> : &Handlers.Alu<SDiv64, TSrc>,
            BpfOp.Mod => insn.Off == 0 ? &Handlers.Alu<Mod64, TSrc> : &Handlers.Alu<SMod64, TSrc>,
            BpfOp.Or => &Handlers.Alu<Or64, TSrc>,
            BpfOp.And => &Handlers.Alu<And64, TSrc>,
            BpfOp.Xor => &Handlers.Alu<Xor64, TSrc>,
            BpfOp.Lsh => &Handlers.Alu<Lsh64, TSrc>,
            BpfOp.Rsh => &Handlers.Alu<Rsh64, TSrc>,
            BpfOp.Arsh => &Handlers.Alu<Arsh64, TSrc>,
            BpfOp.Neg => &Handlers.Alu<Neg64, TSrc>,
            BpfOp.Mov => insn.Off switch
            {
                0 => &Handlers.Alu<Mov64, TSrc>,
                1 => &Handlers.Alu<SpaceCast, TSrc>,
                8 => &Handlers.Alu<MovSx8, TSrc>,
                16 => &Handlers.Alu<MovSx16, TSrc>,
                _ => &Handlers.Alu<MovSx32, TSrc>,
            },
            _ => null,
        };

    private static delegate*<Op*, Machine*, Op*> Alu32<TSrc>(BpfInsn insn)
        where TSrc : struct, IOperand => (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Add => &Handlers.Alu<Add32, TSrc>,
            BpfOp.Sub => &Handlers.Alu<Sub32, TSrc>,
            BpfOp.Mul => &Handlers.Alu<Mul32, TSrc>,
            BpfOp.Div => insn.Off == 0 ? &Handlers.Alu<Div32, TSrc> : &Handlers.Alu<SDiv32, TSrc>,
            BpfOp.Mod => insn.Off == 0 ? &Handlers.Alu<Mod32, TSrc> : &Handlers.Alu<SMod32, TSrc>,
            BpfOp.Or => &Handlers.Alu<Or32, TSrc>,
            BpfOp.And => &Handlers.Alu<And32, TSrc>,
            BpfOp.Xor => &Handlers.Alu<Xor32, TSrc>,
            BpfOp.Lsh => &Handlers.Alu<Lsh32, TSrc>,
            BpfOp.Rsh => &Handlers.Alu<Rsh32, TSrc>,
            BpfOp.Arsh => &Handlers.Alu<Arsh32, TSrc>,
            BpfOp.Neg => &Handlers.Alu<Neg32, TSrc>,
            BpfOp.Mov => insn.Off switch
            {
                0 => &Handlers.Alu<Mov32, TSrc>,
                8 => &Handlers.Alu<Mov32Sx8, TSrc>,
                _ => &Handlers.Alu<Mov32Sx16, TSrc>,
            },
            _ => null,
        };

    private static delegate*<Op*, Machine*, Op*> End(BpfInsn insn)
    {
        var isSwap = insn.Class == InsnClass.Alu64 || (insn.Opcode & BpfOp.X) != 0;
        return insn.Imm switch
        {
            16 => isSwap ? &Handlers.Alu<Swap16, FromImm> : &Handlers.Alu<Le16, FromImm>,
            32 => isSwap ? &Handlers.Alu<Swap32, FromImm> : &Handlers.Alu<Le32, FromImm>,
            _ => isSwap ? &Handlers.Alu<Swap64, FromImm> : &Handlers.Alu<Le64, FromImm>,
        };
    }

    private static delegate*<Op*, Machine*, Op*> Jump64<TSrc>(int op, bool isBack)
        where TSrc : struct, IOperand => op switch
        {
            BpfOp.Jeq => Directed<Jeq64, TSrc>(isBack),
            BpfOp.Jne => Directed<Jne64, TSrc>(isBack),
            BpfOp.Jgt => Directed<Jgt64, TSrc>(isBack),
            BpfOp.Jge => Directed<Jge64, TSrc>(isBack),
            BpfOp.Jlt => Directed<Jlt64, TSrc>(isBack),
            BpfOp.Jle => Directed<Jle64, TSrc>(isBack),
            BpfOp.Jset => Directed<Jset64, TSrc>(isBack),
            BpfOp.Jsgt => Directed<Jsgt64, TSrc>(isBack),
            BpfOp.Jsge => Directed<Jsge64, TSrc>(isBack),
            BpfOp.Jslt => Directed<Jslt64, TSrc>(isBack),
            BpfOp.Jsle => Directed<Jsle64, TSrc>(isBack),
            _ => null,
        };

    private static delegate*<Op*, Machine*, Op*> Jump32<TSrc>(int op, bool isBack)
        where TSrc : struct, IOperand => op switch
        {
            BpfOp.Jeq => Directed<Jeq32, TSrc>(isBack),
            BpfOp.Jne => Directed<Jne32, TSrc>(isBack),
            BpfOp.Jgt => Directed<Jgt32, TSrc>(isBack),
            BpfOp.Jge => Directed<Jge32, TSrc>(isBack),
            BpfOp.Jlt => Directed<Jlt32, TSrc>(isBack),
            BpfOp.Jle => Directed<Jle32, TSrc>(isBack),
            BpfOp.Jset => Directed<Jset32, TSrc>(isBack),
            BpfOp.Jsgt => Directed<Jsgt32, TSrc>(isBack),
            BpfOp.Jsge => Directed<Jsge32, TSrc>(isBack),
            BpfOp.Jslt => Directed<Jslt32, TSrc>(isBack),
            BpfOp.Jsle => Directed<Jsle32, TSrc>(isBack),
            _ => null,
        };

    private static delegate*<Op*, Machine*, Op*> Directed<TJump, TSrc>(bool isBack)
        where TJump : struct, IJump
        where TSrc : struct, IOperand =>
        isBack ? &Handlers.Jump<TJump, TSrc, Backward> : &Handlers.Jump<TJump, TSrc, Forward>;
}
