namespace Kptr.Soundness;

/// <summary>Numbers: arithmetic, spills, bounds, branches.</summary>
internal sealed class NumberFragments(ProgText text) : FragmentWriter(text)
{
    private static readonly string[] AluSigns = [
        "+=", "-=", "*=", "&=", "|=", "^=", "<<=", ">>=", "s>>=", "/=", "%=", "s/=", "s%=",
    ];

    public void Arithmetic()
    {
        for (var n = 1 + Random.Next(5); n > 0; n--)
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
        "<<=" or ">>=" or "s>>=" => Random.Next(Chance(3) ? bits : Math.Min(bits, 12)),
        "/=" or "%=" or "s/=" or "s%=" => Words.Imm(Random) is var by and not 0 ? by : 7,
        "*=" => Random.Next(-9, 1000),
        _ => Words.Imm(Random),
    };

    public void Convert()
    {
        int dst = AnyScalar(), src = AnyScalar(not: dst);
        Emit(Random.Next(8) switch
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

    public void Spill()
    {
        var reg = AnyScalar();
        var off = Stack(8);
        string wide = Pick<string>("u64", "u64", "u32", "u16", "u8"), narrow = Pick<string>(
            "u64", "u32", "u16", "u8", "s8", "s16", "s32");
        if (wide != "u64")
        {
            Emit(Chance(2) ? $"*(u64 *)(r10 {off}) = {Words.Imm(Random)}" : $"*(u64 *)(r10 {off}) = r{AnyScalar()}");
        }

        Emit($"*({wide} *)(r10 {off}) = r{reg}");
        if (!Chance(3))
        {
            Fragment();
        }

        var to = AnyTarget();
        Emit($"r{to} = *({narrow} *)(r10 {off + (Chance(4) && narrow is not "u64" ? Pick<int>(4, 2, 1) : 0)})");
        Regs[to] = RegKind.Scalar;
    }

    /// <summary>Bounds a number, by bits or by a branch around the rest of the block.</summary>
    public void Clamp()
    {
        var reg = AnyScalar();
        if (Chance(2))
        {
            Emit($"r{reg} &= {Pick<int>(1, 7, 15, 63, 255, 0x7fff)}");
            return;
        }

        var around = NewLabel();
        var left = $"{(Chance(3) ? 'w' : 'r')}{reg}";
        Emit($"if {left} {Pick<string>(">", "s>", "<", "s<", ">=")} {Words.Imm(Random)} goto {around}");
        var before = (RegKind[])Regs.Clone();
        Block(2);
        MergeRegs(before);
        Emit($"{around}:");
    }

    public void Branch()
    {
        var reg = AnyScalar();
        var size = Chance(3) ? 'w' : 'r';
        var right = Chance(3) ? $"{size}{AnyScalar(not: reg)}" : $"{Words.Imm(Random)}";
        var other = NewLabel();
        Emit($"if {size}{reg} {Pick<string>(JumpSigns)} {right} goto {other}");
        var before = (RegKind[])Regs.Clone();
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
        var after = Regs;
        Regs = before;
        Block(3);
        MergeRegs(after);
        Emit($"{end}:");
    }
}
