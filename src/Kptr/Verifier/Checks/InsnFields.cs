using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>Fields of instructions that must be zero, or one of few values.</summary>
/// <remarks>Kernel: <c>check_insn_fields</c> (kernel/bpf/verifier.c, 7.2); the opcode is known to exist.</remarks>
internal static class InsnFields
{
    private const int RegsMax = 11;
    private const short CastsAddressSpace = 1;

    /// <summary>The first of an instruction's registers that does not exist, or -1.</summary>
    public static int UnknownRegIn(in BpfInsn insn) =>
        insn.Dst >= RegsMax ? insn.Dst : insn.Src >= RegsMax ? insn.Src : -1;

    /// <summary>Whether it casts between address spaces that programs have no part in.</summary>
    public static bool CastsWrongly(in BpfInsn insn) => IsAddressSpaceCast(insn) && insn.Imm is not (1 or 1 << 16);

    /// <summary>Whether it is a <c>may_goto</c> of a kind that does not exist.</summary>
    public static bool MayGotoWrongly(in BpfInsn insn) => insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Jcond)
        && (insn.Src != 0 || insn.Dst != 0 || insn.Imm != 0);

    /// <summary>What uses fields that are reserved, by the kernel's name, or null.</summary>
    public static string? ReservedIn(in BpfInsn insn) =>
        insn.Opcode == BpfOp.LdImm64 && insn.Off != 0 ? "BPF_LD_IMM64" : insn.Class switch
        {
            InsnClass.Alu or InsnClass.Alu64 => OfAlu(insn),
            InsnClass.Jmp or InsnClass.Jmp32 => OfJump(insn),
            InsnClass.Ldx => insn.Imm != 0 ? "BPF_LDX" : null,
            InsnClass.Stx => (insn.Opcode & BpfOp.ModeMask) == BpfOp.Mem && insn.Imm != 0 ? "BPF_STX" : null,
            InsnClass.St => insn.Src != 0 ? "BPF_ST" : null,
            _ => OfPacketLoad(insn),
        };

    private static bool IsAddressSpaceCast(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Alu64 | BpfOp.Mov | BpfOp.X) && insn.Off == CastsAddressSpace;

    private static string? OfAlu(in BpfInsn insn)
    {
        var byReg = (insn.Opcode & BpfOp.X) != 0;
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Neg:
                return byReg || insn.Src != 0 || insn.Off != 0 || insn.Imm != 0 ? "BPF_NEG" : null;
            case BpfOp.End:
                return insn.Src != 0 || insn.Off != 0 || insn.Imm is not (16 or 32 or 64)
                    || (insn.Class == InsnClass.Alu64 && byReg) ? "BPF_END" : null;
            case BpfOp.Mov:
                return OfMov(insn, byReg);
            default:
                var isDivision = (insn.Opcode & BpfOp.OpMask) is BpfOp.Div or BpfOp.Mod;
                return (byReg ? insn.Imm != 0 : insn.Src != 0) || !(insn.Off == 0 || (insn.Off == 1 && isDivision))
                    ? "BPF_ALU" : null;
        }
    }

    private static string? OfMov(in BpfInsn insn, bool byReg)
    {
        if (!byReg)
        {
            return insn.Src != 0 || insn.Off != 0 ? "BPF_MOV" : null;
        }

        if (IsAddressSpaceCast(insn))
        {
            return null;
        }

        var extends = insn.Off is 0 or 8 or 16 || (insn.Off == 32 && insn.Class == InsnClass.Alu64);
        return extends && insn.Imm == 0 ? null : "BPF_MOV";
    }

    private static string? OfJump(in BpfInsn insn)
    {
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Call:
                return insn.Src is not (0 or BpfOp.PseudoCall or BpfOp.PseudoKfuncCall) || insn.Dst != 0
                    || (insn.Src != BpfOp.PseudoKfuncCall && insn.Off != 0) ? "BPF_CALL" : null;
            case BpfOp.Ja:
                return insn.Src != 0 || insn.Dst != 0 || (insn.Class == InsnClass.Jmp ? insn.Imm : insn.Off) != 0
                    ? "BPF_JA" : null;
            case BpfOp.Exit:
                return insn.Imm != 0 || insn.Src != 0 || insn.Dst != 0 ? "BPF_EXIT" : null;
            case BpfOp.Jcond:
                return null;
            default:
                return ((insn.Opcode & BpfOp.X) != 0 ? insn.Imm : insn.Src) != 0 ? "BPF_JMP/JMP32" : null;
        }
    }

    private static string? OfPacketLoad(in BpfInsn insn)
    {
        var mode = insn.Opcode & BpfOp.ModeMask;
        return mode is BpfOp.Abs or BpfOp.Ind
            && (insn.Dst != 0 || insn.Off != 0 || (mode == BpfOp.Abs && insn.Src != 0))
            ? "BPF_LD_[ABS|IND]" : null;
    }
}
