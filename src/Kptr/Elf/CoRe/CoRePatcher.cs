using Kptr.Isa;

namespace Kptr.Elf.CoRe;

/// <summary>Writes the outcome of a relocation into the instruction it is for.</summary>
internal static class CoRePatcher
{
    /// <summary>
    /// Immediate of a poisoned instruction; the verifier names it when the instruction can be reached.
    /// </summary>
    private const int PoisonImm = 195896080;

    /// <summary>Patches <paramref name="insns"/> in place.</summary>
    /// <returns>What is wrong with the instruction, or null.</returns>
    public static string? Patch(Span<BpfInsn> insns, int at, CoReResult result)
    {
        var insn = insns[at];
        switch (insn.Class)
        {
            case InsnClass.Alu or InsnClass.Alu64 when (insn.Opcode & BpfOp.X) == 0:
                return PatchImm(insns, at, result);
            case InsnClass.Ldx or InsnClass.St or InsnClass.Stx:
                return PatchAccess(insns, at, result);
            case InsnClass.Ld when insn.Opcode == BpfOp.LdImm64 && insn is { Src: 0, Off: 0 }
                    && at + 1 < insns.Length && insns[at + 1] is { Opcode: 0, Regs: 0, Off: 0 }:
                return PatchLdImm64(insns, at, result);
            default:
                return $"trying to relocate unrecognized insn, code:0x{insn.Opcode:x}";
        }
    }

    /// <summary>Makes an instruction one that cannot be executed.</summary>
    public static void Poison(Span<BpfInsn> insns, int at, int imm)
    {
        var call = new BpfInsn((byte)InsnClass.Jmp + BpfOp.Call, 0, 0, 0, imm);
        var slots = insns[at].Opcode == BpfOp.LdImm64 ? 2 : 1;
        insns.Slice(at, slots).Fill(call);
    }

    private static string? PatchImm(Span<BpfInsn> insns, int at, CoReResult result)
    {
        var insn = insns[at];
        if (result.Poison)
        {
            Poison(insns, at, PoisonImm);
            return null;
        }

        if (result.Validate && (ulong)insn.Imm != result.OldValue)
        {
            return Unexpected("imm", (ulong)insn.Imm, result);
        }

        insns[at] = new(insn.Opcode, insn.Dst, insn.Src, insn.Off, (int)result.NewValue);
        return null;
    }

    private static string? PatchLdImm64(Span<BpfInsn> insns, int at, CoReResult result)
    {
        if (result.Poison)
        {
            Poison(insns, at, PoisonImm);
            return null;
        }

        var imm = (uint)insns[at].Imm | ((ulong)(uint)insns[at + 1].Imm << 32);
        if (result.Validate && imm != result.OldValue)
        {
            return Unexpected("imm64", imm, result);
        }

        insns[at] = new(BpfOp.LdImm64, insns[at].Dst, 0, 0, (int)result.NewValue);
        insns[at + 1] = new(0, 0, 0, 0, (int)(result.NewValue >> 32));
        return null;
    }

    private static string? PatchAccess(Span<BpfInsn> insns, int at, CoReResult result)
    {
        var insn = insns[at];
        if (result.Poison)
        {
            Poison(insns, at, PoisonImm);
            return null;
        }

        if (result.Validate && (ulong)insn.Off != result.OldValue)
        {
            return Unexpected("off", (ulong)insn.Off, result);
        }

        if (result.NewValue > (ulong)short.MaxValue)
        {
            return $"offset {result.NewValue} is too big";
        }

        if (result.IsResizeUnsafe)
        {
            Poison(insns, at, PoisonImm);
            return null;
        }

        var opcode = insn.Opcode;
        if (result.NewSizeBytes != result.OldSizeBytes)
        {
            if (insn.AccessBytes != result.OldSizeBytes || SizeBits(result.NewSizeBytes) is not { } bits)
            {
                return $"cannot change an access of {insn.AccessBytes} bytes from {result.OldSizeBytes} to "
                    + $"{result.NewSizeBytes}";
            }

            opcode = (byte)((opcode & ~BpfOp.SizeMask) | bits);
        }

        insns[at] = new(opcode, insn.Dst, insn.Src, (short)result.NewValue, insn.Imm);
        return null;
    }

    private static string Unexpected(string field, ulong value, CoReResult result) =>
        $"unexpected {field} value: got {value}, exp {result.OldValue} -> {result.NewValue}";

    private static byte? SizeBits(int bytes) => bytes switch
    {
        1 => BpfOp.B,
        2 => BpfOp.H,
        4 => BpfOp.W,
        8 => BpfOp.Dw,
        _ => null,
    };
}
