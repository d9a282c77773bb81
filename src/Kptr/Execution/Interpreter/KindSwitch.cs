using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>
/// Continues with an arithmetic instruction's operation and operand as types; gives a handler's address.
/// </summary>
internal interface IAluCase
{
    nint Of<TAlu, TSrc>()
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand;
}

/// <summary>Continues with a conditional jump's comparison and operand as types.</summary>
internal interface IJumpCase
{
    nint Of<TJump, TSrc>()
        where TJump : struct, IJump
        where TSrc : struct, IOperand;
}

/// <summary>Continues with a memory access's width as a type.</summary>
internal interface IMemCase
{
    nint Of<TMem>()
        where TMem : struct, IMem;
}

/// <summary>The way from an instruction's bits to the types that handlers are compiled for.</summary>
internal static class KindSwitch
{
    /// <summary>An arithmetic instruction, byte swaps included; 0 for none.</summary>
    internal static nint Alu<TCase>(BpfInsn insn, TCase then)
        where TCase : struct, IAluCase
    {
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        return (insn.Opcode & BpfOp.OpMask) == BpfOp.End ? End(insn, then)
            : insn.Class == InsnClass.Alu64
            ? (isReg ? Alu64<TCase, FromReg>(insn, then) : Alu64<TCase, FromImm>(insn, then))
            : (isReg ? Alu32<TCase, FromReg>(insn, then) : Alu32<TCase, FromImm>(insn, then));
    }

    /// <summary>A conditional jump; 0 for none.</summary>
    internal static nint Jump<TCase>(BpfInsn insn, TCase then)
        where TCase : struct, IJumpCase
    {
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var op = insn.Opcode & BpfOp.OpMask;
        return insn.Class == InsnClass.Jmp
            ? (isReg ? Jump64<TCase, FromReg>(op, then) : Jump64<TCase, FromImm>(op, then))
            : (isReg ? Jump32<TCase, FromReg>(op, then) : Jump32<TCase, FromImm>(op, then));
    }

    /// <summary>A load or store of memory.</summary>
    internal static nint Mem<TCase>(BpfInsn insn, TCase then)
        where TCase : struct, IMemCase
    {
        var isSigned = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Memsx;
        return (insn.Opcode & BpfOp.SizeMask) switch
        {
            BpfOp.B => isSigned ? then.Of<MemSx8>() : then.Of<Mem8>(),
            BpfOp.H => isSigned ? then.Of<MemSx16>() : then.Of<Mem16>(),
            BpfOp.W => isSigned ? then.Of<MemSx32>() : then.Of<Mem32>(),
            _ => then.Of<Mem64>(),
        };
    }

    private static nint Alu64<TCase, TSrc>(BpfInsn insn, TCase then)
        where TCase : struct, IAluCase
        where TSrc : struct, IOperand => (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Add => then.Of<Add64, TSrc>(),
            BpfOp.Sub => then.Of<Sub64, TSrc>(),
            BpfOp.Mul => then.Of<Mul64, TSrc>(),
            BpfOp.Div => insn.Off == 0 ? then.Of<Div64, TSrc>() : then.Of<SDiv64, TSrc>(),
            BpfOp.Mod => insn.Off == 0 ? then.Of<Mod64, TSrc>() : then.Of<SMod64, TSrc>(),
            BpfOp.Or => then.Of<Or64, TSrc>(),
            BpfOp.And => then.Of<And64, TSrc>(),
            BpfOp.Xor => then.Of<Xor64, TSrc>(),
            BpfOp.Lsh => then.Of<Lsh64, TSrc>(),
            BpfOp.Rsh => then.Of<Rsh64, TSrc>(),
            BpfOp.Arsh => then.Of<Arsh64, TSrc>(),
            BpfOp.Neg => then.Of<Neg64, TSrc>(),
            BpfOp.Mov => insn.Off switch
            {
                0 => then.Of<Mov64, TSrc>(),
                1 => then.Of<SpaceCast, TSrc>(),
                8 => then.Of<MovSx8, TSrc>(),
                16 => then.Of<MovSx16, TSrc>(),
                _ => then.Of<MovSx32, TSrc>(),
            },
            _ => 0,
        };

    private static nint Alu32<TCase, TSrc>(BpfInsn insn, TCase then)
        where TCase : struct, IAluCase
        where TSrc : struct, IOperand => (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Add => then.Of<Add32, TSrc>(),
            BpfOp.Sub => then.Of<Sub32, TSrc>(),
            BpfOp.Mul => then.Of<Mul32, TSrc>(),
            BpfOp.Div => insn.Off == 0 ? then.Of<Div32, TSrc>() : then.Of<SDiv32, TSrc>(),
            BpfOp.Mod => insn.Off == 0 ? then.Of<Mod32, TSrc>() : then.Of<SMod32, TSrc>(),
            BpfOp.Or => then.Of<Or32, TSrc>(),
            BpfOp.And => then.Of<And32, TSrc>(),
            BpfOp.Xor => then.Of<Xor32, TSrc>(),
            BpfOp.Lsh => then.Of<Lsh32, TSrc>(),
            BpfOp.Rsh => then.Of<Rsh32, TSrc>(),
            BpfOp.Arsh => then.Of<Arsh32, TSrc>(),
            BpfOp.Neg => then.Of<Neg32, TSrc>(),
            BpfOp.Mov => insn.Off switch
            {
                0 => then.Of<Mov32, TSrc>(),
                8 => then.Of<Mov32Sx8, TSrc>(),
                _ => then.Of<Mov32Sx16, TSrc>(),
            },
            _ => 0,
        };

    private static nint End<TCase>(BpfInsn insn, TCase then)
        where TCase : struct, IAluCase
    {
        var isSwap = insn.Class == InsnClass.Alu64 || (insn.Opcode & BpfOp.X) != 0;
        return insn.Imm switch
        {
            16 => isSwap ? then.Of<Swap16, FromImm>() : then.Of<Le16, FromImm>(),
            32 => isSwap ? then.Of<Swap32, FromImm>() : then.Of<Le32, FromImm>(),
            _ => isSwap ? then.Of<Swap64, FromImm>() : then.Of<Le64, FromImm>(),
        };
    }

    private static nint Jump64<TCase, TSrc>(int op, TCase then)
        where TCase : struct, IJumpCase
        where TSrc : struct, IOperand => op switch
        {
            BpfOp.Jeq => then.Of<Jeq64, TSrc>(),
            BpfOp.Jne => then.Of<Jne64, TSrc>(),
            BpfOp.Jgt => then.Of<Jgt64, TSrc>(),
            BpfOp.Jge => then.Of<Jge64, TSrc>(),
            BpfOp.Jlt => then.Of<Jlt64, TSrc>(),
            BpfOp.Jle => then.Of<Jle64, TSrc>(),
            BpfOp.Jset => then.Of<Jset64, TSrc>(),
            BpfOp.Jsgt => then.Of<Jsgt64, TSrc>(),
            BpfOp.Jsge => then.Of<Jsge64, TSrc>(),
            BpfOp.Jslt => then.Of<Jslt64, TSrc>(),
            BpfOp.Jsle => then.Of<Jsle64, TSrc>(),
            _ => 0,
        };

    private static nint Jump32<TCase, TSrc>(int op, TCase then)
        where TCase : struct, IJumpCase
        where TSrc : struct, IOperand => op switch
        {
            BpfOp.Jeq => then.Of<Jeq32, TSrc>(),
            BpfOp.Jne => then.Of<Jne32, TSrc>(),
            BpfOp.Jgt => then.Of<Jgt32, TSrc>(),
            BpfOp.Jge => then.Of<Jge32, TSrc>(),
            BpfOp.Jlt => then.Of<Jlt32, TSrc>(),
            BpfOp.Jle => then.Of<Jle32, TSrc>(),
            BpfOp.Jset => then.Of<Jset32, TSrc>(),
            BpfOp.Jsgt => then.Of<Jsgt32, TSrc>(),
            BpfOp.Jsge => then.Of<Jsge32, TSrc>(),
            BpfOp.Jslt => then.Of<Jslt32, TSrc>(),
            BpfOp.Jsle => then.Of<Jsle32, TSrc>(),
            _ => 0,
        };
}
