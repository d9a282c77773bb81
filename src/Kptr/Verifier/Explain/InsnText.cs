using System.Globalization;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>Prints an instruction as the kernel's log does (<c>print_bpf_insn</c>), opcode first.</summary>
/// <remarks>
/// Other than <see cref="Disassembler"/>, which prints what LLVM does: immediates are decimal, <c>r1 = -8</c>, offsets
/// have a sign and no space, <c>*(u64 *)(r10 -8)</c>, jumps count from <c>pc</c>. Addresses of maps and variables are
/// 0, as there are none before a program is loaded.
/// </remarks>
internal static class InsnText
{
    private const int AddrSpaceCast = 1;

    /// <summary>One instruction without its number, <c>(b7) r1 = 0</c>.</summary>
    public static string Of(VerifierRun run, int insnIdx)
    {
        ref readonly var insn = ref run.Insns[insnIdx];
        var text = insn.Class switch
        {
            InsnClass.Alu or InsnClass.Alu64 => Alu(insn),
            InsnClass.Stx => Stx(insn),
            InsnClass.St => Mode(insn) == BpfOp.Mem ? $"{Mem(insn, insn.Dst)} = {insn.Imm}" : null,
            InsnClass.Ldx => Ldx(insn),
            InsnClass.Ld => Ld(run, insnIdx),
            _ => Jump(run, insnIdx),
        };
        return text is null ? $"BUG_{insn.Opcode:x2}" : $"({insn.Opcode:x2}) {text}";
    }

    private static string Alu(in BpfInsn insn)
    {
        int op = insn.Opcode & BpfOp.OpMask, off = insn.Off;
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var dst = Reg(insn, insn.Dst);
        if (op == BpfOp.End)
        {
            var word = insn.Class == InsnClass.Alu64 ? "bswap" : isReg ? "be" : "le";
            return $"r{insn.Dst} = {word}{insn.Imm} r{insn.Dst}";
        }

        if (op == BpfOp.Neg)
        {
            return $"{dst} = -{dst}";
        }

        if (insn.Class == InsnClass.Alu64 && op == BpfOp.Mov && isReg && off == AddrSpaceCast)
        {
            return $"{dst} = addr_space_cast(r{insn.Src}, {(uint)insn.Imm >> 16}, {insn.Imm & 0xffff})";
        }

        var sign = (op is BpfOp.Div or BpfOp.Mod && off == 1 ? "s" : "") + AsmWords.AluSign(op);
        var cast = isReg && op == BpfOp.Mov && off is 8 or 16 or 32 ? $"(s{off})" : "";
        var src = isReg ? cast + Reg(insn, insn.Src) : insn.Imm.ToString(CultureInfo.InvariantCulture);
        return $"{dst} {sign} {src}";
    }

    private static string? Stx(in BpfInsn insn)
    {
        if (Mode(insn) == BpfOp.Mem)
        {
            return $"{Mem(insn, insn.Dst)} = r{insn.Src}";
        }

        var at = $"({Width(insn)} *)(r{insn.Dst} {insn.Off:+0;-0;+0})";
        var wide = (insn.Opcode & BpfOp.SizeMask) == BpfOp.Dw ? "64" : "";
        var op = insn.Imm & ~BpfOp.Fetch;
        return (Mode(insn), insn.Imm) switch
        {
            (not BpfOp.Atomic, _) => null,
            (_, BpfOp.LoadAcq) => $"r{insn.Dst} = load_acquire(({Width(insn)} *)(r{insn.Src} {insn.Off:+0;-0;+0}))",
            (_, BpfOp.StoreRel) => $"store_release({at}, r{insn.Src})",
            (_, BpfOp.CmpXchg) => $"r0 = atomic{wide}_cmpxchg({at}, r0, r{insn.Src})",
            (_, BpfOp.Xchg) => $"r{insn.Src} = atomic{wide}_xchg({at}, r{insn.Src})",
            _ when AsmWords.AtomicSign(op) is not { } sign => null,
            _ when (insn.Imm & BpfOp.Fetch) != 0 =>
                $"r{insn.Src} = atomic{wide}_fetch_{AsmWords.AtomicName(op)}({at}, r{insn.Src})",
            _ => $"lock *{at} {AsmWords.AtomicSign(op)} r{insn.Src}",
        };
    }

    private static string? Ldx(in BpfInsn insn) => Mode(insn) switch
    {
        BpfOp.Mem => $"r{insn.Dst} = {Mem(insn, insn.Src)}",
        BpfOp.Memsx => $"r{insn.Dst} = {Mem(insn, insn.Src).Replace("(u", "(s", StringComparison.Ordinal)}",
        _ => null,
    };

    private static string? Ld(VerifierRun run, int insnIdx)
    {
        ref readonly var insn = ref run.Insns[insnIdx];
        if (insn.Opcode == BpfOp.LdImm64)
        {
            var isValue = insn.Src == 0 && insnIdx + 1 < run.Insns.Length;
            var value = isValue ? InsnCodec.Imm64(insn, run.Insns[insnIdx + 1]) : 0;
            return $"r{insn.Dst} = 0x{value:x}";
        }

        return Mode(insn) switch
        {
            BpfOp.Abs => $"r0 = *({Width(insn)} *)skb[{insn.Imm}]",
            BpfOp.Ind => $"r0 = *({Width(insn)} *)skb[r{insn.Src} + {insn.Imm}]",
            _ => null,
        };
    }

    private static string Jump(VerifierRun run, int insnIdx)
    {
        ref readonly var insn = ref run.Insns[insnIdx];
        var op = insn.Opcode & BpfOp.OpMask;
        var is64 = insn.Class == InsnClass.Jmp;
        switch (op)
        {
            case BpfOp.Call:
                return insn.Src == BpfOp.PseudoCall ? $"call {Pc(insn.Imm)}"
                    : $"call {run.CalleeName(insnIdx)}#{insn.Imm}";
            case BpfOp.Ja when (insn.Opcode & BpfOp.X) != 0:
                return $"gotox r{insn.Dst}";
            case BpfOp.Ja:
                return is64 ? $"goto {Pc(insn.Off)}" : $"gotol {Pc(insn.Imm)}";
            case BpfOp.Jcond:
                return $"may_goto {Pc(insn.Off)}";
            case BpfOp.Exit:
                return "exit";
        }

        var src = (insn.Opcode & BpfOp.X) != 0 ? Reg(insn, insn.Src) : $"0x{(uint)insn.Imm:x}";
        return $"if {Reg(insn, insn.Dst)} {AsmWords.JumpSign(op)} {src} goto {Pc(insn.Off)}";
    }

    private static int Mode(in BpfInsn insn) => insn.Opcode & BpfOp.ModeMask;

    private static string Mem(in BpfInsn insn, int reg) => $"*({Width(insn)} *)(r{reg} {insn.Off:+0;-0;+0})";

    private static string Width(in BpfInsn insn) => (insn.Opcode & BpfOp.SizeMask) switch
    {
        BpfOp.W => "u32",
        BpfOp.H => "u16",
        BpfOp.B => "u8",
        _ => "u64",
    };

    private static string Reg(in BpfInsn insn, int reg) =>
        (insn.Class is InsnClass.Alu or InsnClass.Jmp32 ? "w" : "r") + reg.ToString(CultureInfo.InvariantCulture);

    private static string Pc(int off) => off.ToString("'pc'+0;'pc'-0", CultureInfo.InvariantCulture);
}
