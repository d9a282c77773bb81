namespace Kptr.Isa;

/// <summary>
/// The statements of the assembler text: each reader gives the items of its form, or null where the text is another's.
/// </summary>
internal static class AsmStatements
{
    private const byte CallOp = (byte)InsnClass.Jmp | BpfOp.Call;

    internal static AsmItem[]? Read(AsmScanner scan, Func<string, int?>? helpers)
    {
        var start = scan.Mark;
        if (scan.TryReg(out var dst, out var is64))
        {
            return AsmAssignments.Read(scan, dst, is64);
        }

        if (scan.TryName(out var word))
        {
            return word switch
            {
                "exit" => [Asm.Exit()],
                "goto" => Jump(scan, Asm.Ja(0)),
                "gotol" => LongJump(scan),
                "may_goto" => Jump(scan, Asm.MayGoto(0)),
                "call" => Call(scan, helpers),
                "callx" => scan.TryReg(true, out var reg) ? [new BpfInsn(CallOp | BpfOp.X, reg, 0, 0, 0)] : null,
                "if" => If(scan),
                "lock" => Lock(scan),
                "ld_pseudo" => LdPseudo(scan),
                _ => null,
            };
        }

        scan.Reset(start);
        return Store(scan);
    }

    /// <summary>Reads <c>(u32 *)(r1 + 0x8)</c>, after the leading star where there is one.</summary>
    internal static bool TryMem(AsmScanner scan, out byte size, out bool isSigned, out int reg, out short off)
    {
        reg = 0;
        off = 0;
        return TryCast(scan, out size, out isSigned) && scan.TryChar('(') && TryRegOff(scan, out reg, out off)
            && scan.TryChar(')');
    }

    /// <summary>Reads <c>r1 + 0x8</c>.</summary>
    internal static bool TryRegOff(AsmScanner scan, out int reg, out short off)
    {
        off = 0;
        if (!scan.TryReg(true, out reg))
        {
            return false;
        }

        var mark = scan.Mark;
        if (scan.TryNumber(short.MinValue, short.MaxValue, out var value))
        {
            off = (short)value;
            return true;
        }

        scan.Reset(mark);
        return true;
    }

    /// <summary>Reads <c>(u32 *)</c>.</summary>
    internal static bool TryCast(AsmScanner scan, out byte size, out bool isSigned)
    {
        size = 0;
        isSigned = false;
        if (!scan.TryChar('(') || !scan.TryName(out var type) || !scan.TryChar('*') || !scan.TryChar(')'))
        {
            return false;
        }

        isSigned = type[0] == 's';
        size = type[1..] switch { "8" => BpfOp.B, "16" => BpfOp.H, "32" => BpfOp.W, _ => BpfOp.Dw };
        return type is "u8" or "u16" or "u32" or "u64" or "s8" or "s16" or "s32";
    }

    private static AsmItem[]? Jump(AsmScanner scan, BpfInsn insn)
    {
        var mark = scan.Mark;
        if (scan.TryNumber(short.MinValue, short.MaxValue, out var off))
        {
            return [new BpfInsn(insn.Opcode, insn.Dst, insn.Src, (short)off, insn.Imm)];
        }

        scan.Reset(mark);
        return scan.TryName(out var label) ? [new AsmItem(insn, label)] : null;
    }

    private static AsmItem[]? LongJump(AsmScanner scan) =>
        scan.TryInt(out var imm) ? [Asm.Gotol(imm)]
        : scan.TryName(out var label) ? [Asm.Gotol(label)]
        : null;

    private static AsmItem[]? Call(AsmScanner scan, Func<string, int?>? helpers)
    {
        var mark = scan.Mark;
        if (scan.TryChar('+') || scan.TryChar('-'))
        {
            scan.Reset(mark);
            return scan.TryInt(out var delta) ? [Asm.CallRel(delta)] : null;
        }

        if (scan.TryInt(out var id))
        {
            return [Asm.Call(id)];
        }

        return !scan.TryName(out var name) ? null
            : helpers?.Invoke(name) is { } helper ? [Asm.Call(helper)]
            : [Asm.Call(name)];
    }

    private static AsmItem[]? If(AsmScanner scan)
    {
        if (!scan.TryReg(out var dst, out var is64) || !scan.TrySign(out var sign)
            || AsmWords.JumpOp(sign) is var op && op < 0)
        {
            return null;
        }

        var cls = (byte)(is64 ? InsnClass.Jmp : InsnClass.Jmp32);
        BpfInsn insn;
        if (scan.TryReg(is64, out var src))
        {
            insn = new BpfInsn((byte)(cls | op | BpfOp.X), dst, src, 0, 0);
        }
        else if (scan.TryInt(out var imm))
        {
            insn = new BpfInsn((byte)(cls | op), dst, 0, 0, imm);
        }
        else
        {
            return null;
        }

        return scan.TryWord("goto") ? Jump(scan, insn) : null;
    }

    private static AsmItem[]? Lock(AsmScanner scan)
    {
        if (!scan.TryChar('*') || !TryMem(scan, out var size, out var isSigned, out var dst, out var off) || isSigned
            || !scan.TrySign(out var sign) || AsmWords.AtomicOp(sign) is var op && op < 0
            || size is not (BpfOp.W or BpfOp.Dw)
            || !scan.TryReg(out var src, out var is64) || (size == BpfOp.Dw && !is64))
        {
            return null;
        }

        return [Asm.Atomic(size, op, (BpfReg)dst, off, (BpfReg)src)];
    }

    private static AsmItem[]? LdPseudo(AsmScanner scan)
    {
        if (!scan.TryReg(true, out var dst) || !scan.TryChar(',') || !scan.TryNumber(0, 15, out var src)
            || !scan.TryChar(',')
            || !scan.TryNumber(int.MinValue, uint.MaxValue, out var imm))
        {
            return null;
        }

        Int128 high = 0;
        if (scan.TryChar(',') && !scan.TryNumber(int.MinValue, uint.MaxValue, out high))
        {
            return null;
        }

        return [new BpfInsn(BpfOp.LdImm64, dst, (int)src, 0, (int)imm), new BpfInsn(0, 0, 0, 0, (int)high)];
    }

    private static AsmItem[]? Store(AsmScanner scan)
    {
        if (!scan.TryChar('*') || !TryMem(scan, out var size, out var isSigned, out var dst, out var off) || isSigned
            || !scan.TryChar('='))
        {
            return null;
        }

        if (scan.TryReg(out var src, out var is64))
        {
            return size == BpfOp.Dw && !is64 ? null : [Asm.Stx(size, (BpfReg)dst, off, (BpfReg)src)];
        }

        return scan.TryInt(out var imm) ? [Asm.St(size, (BpfReg)dst, off, imm)] : null;
    }
}
