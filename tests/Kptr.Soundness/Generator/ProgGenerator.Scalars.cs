namespace Kptr.Soundness;

// Numbers: constants, arithmetic, spills, bounds.
internal sealed partial class ProgGenerator
{
    private static readonly string[] AluSigns = [
        "+=", "-=", "*=", "&=", "|=", "^=", "<<=", ">>=", "s>>=", "/=", "%=", "s/=", "s%=",
    ];
    private static readonly string[] JumpSigns = ["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"];

    private void Arithmetic()
    {
        for (var n = 1 + _random.Next(5); n > 0; n--)
        {
            var dst = AnyScalar();
            var size = Chance(3) ? 'w' : 'r';
            var sign = Pick<string>(AluSigns);
            if (Chance(3))
            {
                Emit($"{size}{dst} {sign} {size}{AnyScalar(not: dst)}");
            }
            else
            {
                Emit($"{size}{dst} {sign} {Operand(sign, size == 'r' ? 64 : 32)}");
            }
        }
    }

    private int Operand(string sign, int bits) => sign switch
    {
        "<<=" or ">>=" or "s>>=" => _random.Next(Chance(3) ? bits : Math.Min(bits, 12)),
        "/=" or "%=" or "s/=" or "s%=" => Words.Imm(_random) is var by and not 0 ? by : 7,
        "*=" => _random.Next(-9, 1000),
        _ => Words.Imm(_random),
    };

    private void Convert()
    {
        int dst = AnyScalar(), src = AnyScalar(not: dst);
        Emit(_random.Next(8) switch
        {
            0 => $"r{dst} = (s8)r{src}",
            1 => $"r{dst} = (s16)r{src}",
            2 => $"r{dst} = (s32)r{src}",
            3 => $"w{dst} = (s8)w{src}",
            4 => $"w{dst} = w{src}",
            5 => $"r{dst} = -r{dst}",
            6 => $"r{dst} = "
                + $"{Pick<string>("be16", "be32", "be64", "le16", "le32", "bswap16", "bswap32", "bswap64")} r{dst}",
            _ => $"r{dst} = r{src}",
        });
    }

    private void Spill()
    {
        var reg = AnyScalar();
        var off = Stack(8);
        string wide = Pick<string>("u64", "u64", "u32", "u16", "u8"), narrow = Pick<string>(
            "u64", "u32", "u16", "u8", "s8", "s16", "s32");
        if (wide != "u64")
        {
            Emit(Chance(2) ? $"*(u64 *)(r10 {off}) = {Words.Imm(_random)}" : $"*(u64 *)(r10 {off}) = r{AnyScalar()}");
        }

        Emit($"*({wide} *)(r10 {off}) = r{reg}");
        if (!Chance(3))
        {
            Fragment();
        }

        var to = AnyTarget();
        Emit($"r{to} = *({narrow} *)(r10 {off + (Chance(4) && narrow is not "u64" ? Pick<int>(4, 2, 1) : 0)})");
        _regs[to] = Kind.Scalar;
    }

    /// <summary>Bounds a number, by bits or by a branch around the rest of the block.</summary>
    private void Clamp()
    {
        var reg = AnyScalar();
        if (Chance(2))
        {
            Emit($"r{reg} &= {Pick<int>(1, 7, 15, 63, 255, 0x7fff)}");
            return;
        }

        var around = NewLabel();
        var left = $"{(Chance(3) ? 'w' : 'r')}{reg}";
        Emit($"if {left} {Pick<string>(">", "s>", "<", "s<", ">=")} {Words.Imm(_random)} goto {around}");
        var before = (Kind[])_regs.Clone();
        Block(2);
        MergeRegs(before);
        Emit($"{around}:");
    }

    private void Branch()
    {
        var reg = AnyScalar();
        var size = Chance(3) ? 'w' : 'r';
        var right = Chance(3) ? $"{size}{AnyScalar(not: reg)}" : $"{Words.Imm(_random)}";
        var other = NewLabel();
        Emit($"if {size}{reg} {Pick<string>(JumpSigns)} {right} goto {other}");
        var before = (Kind[])_regs.Clone();
        Block(3);
        if (Chance(2))
        {
            Emit($"{other}:");
            MergeRegs(before);
            return;
        }

        var end = NewLabel();
        Emit($"goto {end}");
        Emit($"{other}:");
        var after = _regs;
        _regs = before;
        Block(3);
        MergeRegs(after);
        Emit($"{end}:");
    }

    /// <summary>A register with a number in it; gets one where there is none.</summary>
    /// <param name="not">A register that it is not, and that must stay as it is.</param>
    private int AnyScalar(int not = -1)
    {
        int[] known = [.. Enumerable.Range(0, 10).Where(r => _regs[r] == Kind.Scalar && r != not)];
        if (known.Length > 0 && !Chance(5))
        {
            return Pick<int>(known);
        }

        var reg = AnyTarget(not);
        NewNumber(reg, mayCall: not < 0 && !_isLocked);
        _regs[reg] = Kind.Scalar;
        return reg;
    }

    private void NewNumber(int reg, bool mayCall)
    {
        switch (_random.Next(mayCall ? 8 : 3))
        {
            case 0:
                Emit($"r{reg} = {Words.Imm(_random)}");
                break;
            case 1:
                Emit($"w{reg} = {Words.Imm(_random)}");
                break;
            case 2:
                Emit($"r{reg} = {Words.Any(_random)} ll");
                break;
            default:
                EmitCall(Pick<string>(
                    "bpf_get_prandom_u32", "bpf_get_prandom_u32", "bpf_ktime_get_ns", "bpf_get_smp_processor_id"));
                Emit($"r{reg} = r0");
                break;
        }
    }

    /// <summary>A register that may be overwritten.</summary>
    private int AnyTarget(int not = -1)
    {
        int[] free = [.. Enumerable.Range(0, 10).Where(r => _regs[r] is not (Kind.Kept or Kind.Context) && r != not)];
        return Pick<int>(free);
    }
}
