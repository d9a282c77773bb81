using System.Collections.Immutable;
using System.Globalization;

namespace Kptr.Isa;

/// <summary>Which of LLVM's two ways of reading BPF code a <see cref="Disassembler"/> follows.</summary>
public enum DisasmCpu
{
    /// <summary>
    /// As <c>llvm-objdump -d</c>: 32-bit loads show 64-bit registers, 32-bit atomics other than add are unknown.
    /// </summary>
    Generic,

    /// <summary>As <c>llvm-objdump -d --mcpu=v4</c>: 32-bit registers everywhere.</summary>
    V4,
}

/// <summary>One line of a listing.</summary>
/// <param name="InsnIdx">Index of the first slot.</param>
/// <param name="Slots">1, or 2 for a 64-bit immediate load.</param>
/// <param name="Text">The mnemonic text.</param>
public readonly record struct DisasmLine(int InsnIdx, int Slots, string Text);

/// <summary>
/// Prints instructions exactly as <c>llvm-objdump-19 -d</c> does: its mnemonic text, without
/// <c>&lt;symbol&gt;</c> notes.
/// </summary>
/// <remarks>
/// LLVM is more lenient than the kernel in some reserved fields and prints what it can; so does this. What LLVM does
/// not know prints as <see cref="Unknown"/>.
/// </remarks>
public static class Disassembler
{
    /// <summary>What an instruction prints as that LLVM does not know.</summary>
    public const string Unknown = "<unknown>";

    private const int LlvmRegs = 12;

    /// <summary>A whole listing, in order.</summary>
    /// <exception cref="ArgumentException">The array is the default.</exception>
    public static IEnumerable<DisasmLine> Lines(ImmutableArray<BpfInsn> insns, DisasmCpu cpu = DisasmCpu.Generic) =>
        insns.IsDefault ? throw new ArgumentException("no instructions, not even none", nameof(insns))
        : Walk(insns, cpu);

    private static IEnumerable<DisasmLine> Walk(ImmutableArray<BpfInsn> insns, DisasmCpu cpu)
    {
        for (var i = 0; i < insns.Length; i++)
        {
            var text = Text(insns[i], i + 1 < insns.Length ? insns[i + 1] : null, cpu);
            var slots = insns[i].Opcode == BpfOp.LdImm64 && text != Unknown ? 2 : 1;
            yield return new DisasmLine(i, slots, text);
            i += slots - 1;
        }
    }

    /// <summary>The text of one instruction.</summary>
    /// <param name="insn">Its first slot.</param>
    /// <param name="second">The slot after it; a 64-bit immediate load without one is unknown.</param>
    /// <param name="cpu">Which of LLVM's readings.</param>
    public static string Text(BpfInsn insn, BpfInsn? second = null, DisasmCpu cpu = DisasmCpu.Generic)
    {
        if ((insn.Dst >= LlvmRegs && UsesDst(insn)) || (insn.Src >= LlvmRegs && UsesSrc(insn)))
        {
            return Unknown;
        }

        return insn.Class switch
        {
            InsnClass.Alu or InsnClass.Alu64 => AluText(insn),
            InsnClass.Jmp or InsnClass.Jmp32 => JumpText(insn),
            InsnClass.Ld => LdText(insn, second),
            InsnClass.Ldx => LdxText(insn, cpu),
            InsnClass.St =>
                (insn.Opcode & BpfOp.ModeMask) == BpfOp.Mem ? $"{Mem(insn, insn.Dst)} = {Hex(insn.Imm)}" : Unknown,
            _ => StxText(insn, cpu),
        };
    }

    private static bool UsesDst(BpfInsn insn) => insn.Class switch
    {
        InsnClass.Ld => insn.Opcode == BpfOp.LdImm64,
        InsnClass.Jmp or InsnClass.Jmp32 => JumpOps.IsConditional(insn.Opcode & BpfOp.OpMask)
            || insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call | BpfOp.X),
        _ => true,
    };

    private static bool UsesSrc(BpfInsn insn) => insn.Class switch
    {
        InsnClass.Ld => (insn.Opcode & BpfOp.ModeMask) != BpfOp.Abs && insn.Opcode != BpfOp.LdImm64,
        InsnClass.Ldx or InsnClass.Stx => true,
        InsnClass.St => false,
        InsnClass.Alu or InsnClass.Alu64 => (insn.Opcode & BpfOp.X) != 0 && (insn.Opcode & BpfOp.OpMask) != BpfOp.End,
        _ => (insn.Opcode & BpfOp.X) != 0 && JumpOps.IsConditional(insn.Opcode & BpfOp.OpMask),
    };

    private static string AluText(BpfInsn insn)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        var is64 = insn.Class == InsnClass.Alu64;
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var dst = Reg(insn.Dst, is64);
        switch (op)
        {
            case BpfOp.Neg:
                return isReg ? Unknown : $"{dst} = -{dst}";
            case BpfOp.End:
                return EndText(insn);
            case BpfOp.Mov when isReg && insn.Off != 0:
                return MovsxText(insn, dst, is64);
            case > BpfOp.End:
                return Unknown;
        }

        var isSigned = op is BpfOp.Div or BpfOp.Mod && insn.Off == 1;
        if (insn.Off != 0 && !isSigned)
        {
            return Unknown;
        }

        var src = isReg ? Reg(insn.Src, is64) : Hex(insn.Imm);
        return $"{dst} {(isSigned ? "s" : "")}{AsmWords.AluSign(op)} {src}";
    }

    private static string EndText(BpfInsn insn)
    {
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        if (insn.Imm is not (16 or 32 or 64) || (insn.Class == InsnClass.Alu64 && isReg))
        {
            return Unknown;
        }

        var word = insn.Class == InsnClass.Alu64 ? "bswap" : isReg ? "be" : "le";
        return $"r{insn.Dst} = {word}{insn.Imm} r{insn.Dst}";
    }

    private static string MovsxText(BpfInsn insn, string dst, bool is64)
    {
        if (is64 && insn.Off == 1)
        {
            return $"{dst} = addr_space_cast(r{insn.Src}, 0x{(uint)insn.Imm >> 16:x}, 0x{insn.Imm & 0xffff:x})";
        }

        return insn.Off is 8 or 16
            || (is64 && insn.Off == 32) ? $"{dst} = (s{insn.Off}){Reg(insn.Src, is64)}" : Unknown;
    }

    private static string JumpText(BpfInsn insn)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        var is64 = insn.Class == InsnClass.Jmp;
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        if (JumpOps.IsConditional(op))
        {
            var src = isReg ? Reg(insn.Src, is64) : Hex(insn.Imm);
            return $"if {Reg(insn.Dst, is64)} {AsmWords.JumpSign(op)} {src} goto {Target(insn.Off)}";
        }

        return (op, is64, isReg) switch
        {
            (BpfOp.Ja, true, false) => $"goto {Target(insn.Off)}",
            (BpfOp.Ja, false, false) => $"gotol {Target(insn.Imm)}",
            (BpfOp.Call, true, false) => $"call {Hex(insn.Imm)}",
            (BpfOp.Call, true, true) => $"callx r{insn.Dst}",
            (BpfOp.Exit, true, false) => insn.Imm == 0 ? "exit" : Unknown,
            (BpfOp.Jcond, true, false) => $"may_goto {Target(insn.Off)}",
            _ => Unknown,
        };
    }

    private static string LdText(BpfInsn insn, BpfInsn? second)
    {
        if (insn.Opcode == BpfOp.LdImm64)
        {
            return second is not { } high || insn.Off != 0 ? Unknown
                : insn.Src == 0 ? $"r{insn.Dst} = 0x{InsnCodec.Imm64(insn, high):x} ll"
                : $"ld_pseudo\tr{insn.Dst}, 0x{insn.Src:x}, 0x{(uint)insn.Imm:x}";
        }

        if ((insn.Opcode & BpfOp.SizeMask) == BpfOp.Dw)
        {
            return Unknown;
        }

        return (insn.Opcode & BpfOp.ModeMask) switch
        {
            BpfOp.Abs => $"r0 = *({Width(insn)} *)skb[{Hex(insn.Imm)}]",
            BpfOp.Ind => $"r0 = *({Width(insn)} *)skb[r{insn.Src}]",
            _ => Unknown,
        };
    }

    private static string LdxText(BpfInsn insn, DisasmCpu cpu)
    {
        var isDw = (insn.Opcode & BpfOp.SizeMask) == BpfOp.Dw;
        return (insn.Opcode & BpfOp.ModeMask) switch
        {
            BpfOp.Mem => $"{Reg(insn.Dst, isDw || cpu == DisasmCpu.Generic)} = {Mem(insn, insn.Src)}",
            BpfOp.Memsx when !isDw =>
                $"r{insn.Dst} = {Mem(insn, insn.Src).Replace("(u", "(s", StringComparison.Ordinal)}",
            _ => Unknown,
        };
    }

    private static string StxText(BpfInsn insn, DisasmCpu cpu)
    {
        var isDw = (insn.Opcode & BpfOp.SizeMask) == BpfOp.Dw;
        var src = Reg(insn.Src, isDw || cpu == DisasmCpu.Generic);
        return (insn.Opcode & BpfOp.ModeMask) switch
        {
            BpfOp.Mem => $"{Mem(insn, insn.Dst)} = {src}",
            BpfOp.Atomic => AtomicText(insn, cpu, src),
            _ => Unknown,
        };
    }

    private static string AtomicText(BpfInsn insn, DisasmCpu cpu, string src)
    {
        var size = insn.Opcode & BpfOp.SizeMask;
        var isDw = size == BpfOp.Dw;
        var op = insn.Imm & BpfOp.OpMask;

        // LLVM's tables look at the low byte of the immediate only.
        var low = insn.Imm & 0xff;
        if (!isDw && (size != BpfOp.W || (cpu == DisasmCpu.Generic && op != BpfOp.Add)))
        {
            return Unknown;
        }

        var at = $"r{insn.Dst} {Sign(insn.Off)}";
        var isPlain32 = !isDw && cpu == DisasmCpu.Generic;
        return low switch
        {
            BpfOp.Xchg => $"{src} = {(isDw ? "xchg_64" : "xchg32_32")}({at}, {src})",
            BpfOp.CmpXchg => $"{Reg(0, isDw)} = {(isDw ? "cmpxchg_64" : "cmpxchg32_32")}({at}, {Reg(0, isDw)}, {src})",
            _ when AsmWords.AtomicSign(op) is null => Unknown,
            _ when (low & 0xf) == BpfOp.Fetch && !isPlain32 =>
                $"{src} = atomic_fetch_{AsmWords.AtomicName(op)}(({Width(insn)} *)({at}), {src})",
            _ => $"lock {Mem(insn, insn.Dst)} {AsmWords.AtomicSign(op)} {src}",
        };
    }

    private static string Mem(BpfInsn insn, int reg) => $"*({Width(insn)} *)(r{reg} {Sign(insn.Off)})";

    private static string Width(BpfInsn insn) => (insn.Opcode & BpfOp.SizeMask) switch
    {
        BpfOp.W => "u32",
        BpfOp.H => "u16",
        BpfOp.B => "u8",
        _ => "u64",
    };

    private static string Reg(int reg, bool is64) => (is64 ? "r" : "w") + reg.ToString(CultureInfo.InvariantCulture);

    private static string Hex(int imm) => imm < 0 ? $"-0x{-(long)imm:x}" : $"0x{imm:x}";

    private static string Sign(int off) => off < 0 ? $"- 0x{-off:x}" : $"+ 0x{off:x}";

    private static string Target(int off) => off < 0 ? $"-0x{-(long)off:x}" : $"+0x{off:x}";
}
