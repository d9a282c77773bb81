namespace Kptr.Isa;

/// <summary>The statements that start with a register: arithmetic, moves, loads, swaps and fetching atomics.</summary>
internal static class AsmAssignments
{
    internal static AsmItem[]? Read(AsmScanner scan, int dst, bool is64)
    {
        if (!scan.TrySign(out var sign))
        {
            return null;
        }

        if (sign != "=")
        {
            return Arithmetic(scan, dst, is64, sign);
        }

        var mark = scan.Mark;
        foreach (var form in Forms)
        {
            if (form(scan, dst, is64) is { } items)
            {
                return items;
            }

            scan.Reset(mark);
        }

        return null;
    }

    private static readonly Func<AsmScanner, int, bool, AsmItem[]?>[] Forms =
        [Negate, RegMove, SignExtend, Load, Packet, Swap, SpaceCast, Fetch, Exchange, Imm64, ImmMove, Address];

    private static byte Cls(bool is64) => (byte)(is64 ? InsnClass.Alu64 : InsnClass.Alu);

    private static AsmItem[]? Arithmetic(AsmScanner scan, int dst, bool is64, string sign)
    {
        var isSigned = sign is "s/=" or "s%=";
        var op = AsmWords.AluOp(isSigned ? sign[1..] : sign);
        var off = (short)(isSigned ? 1 : 0);
        return op < 0 ? null
            : scan.TryReg(is64, out var src) ? [new BpfInsn((byte)(Cls(is64) | op | BpfOp.X), dst, src, off, 0)]
            : scan.TryInt(out var imm) ? [new BpfInsn((byte)(Cls(is64) | op), dst, 0, off, imm)]
            : null;
    }

    private static AsmItem[]? Negate(AsmScanner scan, int dst, bool is64) =>
        scan.TryChar('-') && scan.TryReg(is64, out var src) && src == dst
            ? [new BpfInsn((byte)(Cls(is64) | BpfOp.Neg), dst, 0, 0, 0)] : null;

    private static AsmItem[]? RegMove(AsmScanner scan, int dst, bool is64) =>
        scan.TryReg(is64, out var src) ? [new BpfInsn((byte)(Cls(is64) | BpfOp.Mov | BpfOp.X), dst, src, 0, 0)] : null;

    private static AsmItem[]? SignExtend(AsmScanner scan, int dst, bool is64)
    {
        if (!scan.TryChar('(') || !scan.TryName(out var type) || !scan.TryChar(')') || !scan.TryReg(is64, out var src))
        {
            return null;
        }

        var bits = type switch { "s8" => 8, "s16" => 16, "s32" when is64 => 32, _ => 0 };
        return bits == 0 ? null : [new BpfInsn((byte)(Cls(is64) | BpfOp.Mov | BpfOp.X), dst, src, (short)bits, 0)];
    }

    private static AsmItem[]? Load(AsmScanner scan, int dst, bool is64)
    {
        if (!scan.TryChar('*') || !AsmStatements.TryMem(scan, out var size, out var isSigned, out var src, out var off)
            || (!is64 && (isSigned || size == BpfOp.Dw)))
        {
            return null;
        }

        return isSigned
            ? [Asm.LdxSx(size, (BpfReg)dst, (BpfReg)src, off)]
            : [Asm.Ldx(size, (BpfReg)dst, (BpfReg)src, off)];
    }

    private static AsmItem[]? Packet(AsmScanner scan, int dst, bool is64)
    {
        if (dst != 0 || !is64 || !scan.TryChar('*')
            || !AsmStatements.TryCast(scan, out var size, out var isSigned) || isSigned
            || size == BpfOp.Dw || !scan.TryWord("skb") || !scan.TryChar('['))
        {
            return null;
        }

        BpfInsn insn;
        if (scan.TryReg(true, out var src))
        {
            var mark = scan.Mark;
            if (!scan.TryInt(out var addend))
            {
                scan.Reset(mark);
            }

            insn = new BpfInsn((byte)(BpfOp.Ind | size), 0, src, 0, addend);
        }
        else if (scan.TryInt(out var imm))
        {
            insn = new BpfInsn((byte)(BpfOp.Abs | size), 0, 0, 0, imm);
        }
        else
        {
            return null;
        }

        return scan.TryChar(']') ? [insn] : null;
    }

    private static AsmItem[]? Swap(AsmScanner scan, int dst, bool is64)
    {
        if (!is64 || !scan.TryName(out var word) || !scan.TryReg(true, out var src) || src != dst)
        {
            return null;
        }

        var reg = (BpfReg)dst;
        return word switch
        {
            "le16" => [Asm.ToLe(reg, 16)],
            "le32" => [Asm.ToLe(reg, 32)],
            "le64" => [Asm.ToLe(reg, 64)],
            "be16" => [Asm.ToBe(reg, 16)],
            "be32" => [Asm.ToBe(reg, 32)],
            "be64" => [Asm.ToBe(reg, 64)],
            "bswap16" => [Asm.Bswap(reg, 16)],
            "bswap32" => [Asm.Bswap(reg, 32)],
            "bswap64" => [Asm.Bswap(reg, 64)],
            _ => null,
        };
    }

    private static AsmItem[]? SpaceCast(AsmScanner scan, int dst, bool is64)
    {
        if (!is64 || !scan.TryWord("addr_space_cast") || !scan.TryChar('(') || !scan.TryReg(true, out var src)
            || !scan.TryChar(',') || !scan.TryNumber(0, ushort.MaxValue, out var to)
            || !scan.TryChar(',') || !scan.TryNumber(0, ushort.MaxValue, out var from) || !scan.TryChar(')'))
        {
            return null;
        }

        return [new BpfInsn((byte)InsnClass.Alu64 | BpfOp.Mov | BpfOp.X, dst, src, 1, ((int)to << 16) | (int)from)];
    }

    private static AsmItem[]? Fetch(AsmScanner scan, int dst, bool is64)
    {
        if (!scan.TryName(out var word) || !word.StartsWith("atomic_fetch_", StringComparison.Ordinal)
            || AsmWords.AtomicOp(word["atomic_fetch_".Length..]) is var op && op < 0
            || !scan.TryChar('(')
            || !AsmStatements.TryMem(scan, out var size, out var isSigned, out var at, out var off) || isSigned
            || !scan.TryChar(',') || !scan.TryReg(is64, out var src) || !scan.TryChar(')') || src != dst
            || size is not (BpfOp.W or BpfOp.Dw) || (size == BpfOp.Dw && !is64))
        {
            return null;
        }

        return [Asm.Atomic(size, op | BpfOp.Fetch, (BpfReg)at, off, (BpfReg)src)];
    }

    private static AsmItem[]? Exchange(AsmScanner scan, int dst, bool is64)
    {
        if (!scan.TryName(out var word) || !scan.TryChar('(') || !AsmStatements.TryRegOff(scan, out var at, out var off)
            || !scan.TryChar(','))
        {
            return null;
        }

        var isCompare = word is "cmpxchg_64" or "cmpxchg32_32";
        var isDw = word is "xchg_64" or "cmpxchg_64";
        if ((!isCompare && word is not ("xchg_64" or "xchg32_32")) || isDw != is64
            || (isCompare && (dst != 0 || !scan.TryReg(is64, out var r0) || r0 != 0 || !scan.TryChar(',')))
            || !scan.TryReg(is64, out var src) || !scan.TryChar(')') || (!isCompare && src != dst))
        {
            return null;
        }

        return [Asm.Atomic(isDw ? BpfOp.Dw : BpfOp.W, isCompare ? BpfOp.CmpXchg : BpfOp.Xchg,
            (BpfReg)at, off, (BpfReg)src)];
    }

    private static AsmItem[]? Imm64(AsmScanner scan, int dst, bool is64) =>
        is64 && scan.TryNumber(long.MinValue, ulong.MaxValue, out var value) && scan.TryWord("ll")
            ? [.. Asm.LdImm64((BpfReg)dst, unchecked((ulong)value))] : null;

    private static AsmItem[]? ImmMove(AsmScanner scan, int dst, bool is64)
    {
        // A 32-bit register takes its constant with or without a sign; in 64 bits 0xffffffff and -1 differ.
        var max = is64 ? int.MaxValue : uint.MaxValue;
        return scan.TryNumber(int.MinValue, max, out var imm)
            ? [new BpfInsn((byte)(Cls(is64) | BpfOp.Mov), dst, 0, 0, unchecked((int)imm))] : null;
    }

    private static AsmItem[]? Address(AsmScanner scan, int dst, bool is64)
    {
        if (!is64 || !scan.TryName(out var name))
        {
            return null;
        }

        var mark = scan.Mark;
        if (!scan.TryInt(out var addend))
        {
            scan.Reset(mark);
        }

        return scan.TryWord("ll") ? Asm.LdAddr((BpfReg)dst, name, addend) : null;
    }
}
