namespace Kptr.Soundness;

/// <summary>Memory: the stack, map values, packets.</summary>
internal sealed class MemoryFragments(ProgText text) : FragmentWriter(text)
{
    private static readonly string[] PlainMaps = ["plain_array", "plain_hash", "plain_lru", "plain_percpu"];
    internal static readonly string[] HeldMaps = ["held_array", "held_hash"];

    public void StackAccess()
    {
        var off = Stack(16);
        Emit($"*(u64 *)(r10 {off}) = {Words.Imm(Random)}");
        Emit($"*(u64 *)(r10 {off + 8}) = r{AnyScalar()}");
        if (Chance(2))
        {
            Atomic("r10", off + Pick<int>(0, 8));
            return;
        }

        var index = AnyScalar();
        Emit($"r{index} &= {Pick<int>(7, 3, 8, 15)}");
        var at = AnyTarget(not: index);
        EmitAddress(at, off);
        Emit($"r{at} += r{index}");
        if (Chance(2))
        {
            Emit($"*({Pick<string>("u8", "u8", "u16", "u32", "u64")} *)(r{at} + 0) = r{index}");
        }

        Emit($"r{at} = *({Pick<string>("u8", "u8", "u16", "u32", "u64", "s8")} *)(r{at} + 0)");
        Regs[at] = RegKind.Scalar;
    }

    public void MapAccess()
    {
        var map = Pick<string>(Chance(4) ? HeldMaps : PlainMaps);
        Lookup(map, value =>
        {
            for (var n = 1 + Random.Next(3); n > 0; n--)
            {
                ValueAccess(value, map);
            }

            Block(2);
        });
    }

    public void Packet()
    {
        if (Around.Section is not ("tc" or "cgroup_skb/egress") || Regs[6] != RegKind.Context || Around.IsLocked)
        {
            return;
        }

        int data = Keep(), end = 4;
        if (data == 0)
        {
            return;
        }

        var around = NewLabel();
        var bytes = Random.Next(1, 40);
        Emit($"r{data} = *(u32 *)(r6 + 76)");
        Emit($"r{end} = *(u32 *)(r6 + 80)");
        Emit($"r5 = r{data}");
        Regs[4] = Regs[5] = RegKind.Kept;
        if (Chance(3))
        {
            var index = AnyScalar(not: data);
            Emit($"r{index} &= {Pick<int>(15, 63, 255)}");
            Emit($"r{data} += r{index}");
            Emit($"r5 = r{data}");
        }

        Emit($"r5 += {bytes}");
        Emit(Pick<string>($"if r5 > r{end} goto {around}", $"if r{end} < r5 goto {around}",
            $"if r5 >= r{end} goto {around}"));
        Regs[4] = Regs[5] = RegKind.None;
        var before = (RegKind[])Regs.Clone();
        var size = Pick<int>(1, 2, 4, 8);
        var to = AnyTarget();
        Emit($"r{to} = *(u{size * 8} *)(r{data} + {Math.Max(0, bytes - size + (Errs(9) ? 1 : 0))})");
        Regs[to] = RegKind.Scalar;
        Block(2);
        MergeRegs(before);
        Emit($"{around}:");
        Drop(data);
    }

    /// <summary>Looks an element up and does something where it is there.</summary>
    public void Lookup(string map, Action<int> use)
    {
        var value = Keep();
        if (value == 0 || Around.IsLocked)
        {
            return;
        }

        var key = Stack(8);
        if (Chance(3))
        {
            Emit($"*(u32 *)(r10 {key}) = r{AnyScalar()}");
        }
        else
        {
            Emit($"*(u32 *)(r10 {key}) = {Random.Next(4)}");
        }

        Emit($"r1 = {map} ll");
        EmitAddress(2, key);
        EmitCall("bpf_map_lookup_elem");
        var end = NewLabel();
        if (!Errs(40))
        {
            Emit(Chance(2) ? $"if r0 == 0 goto {end}" : $"if r0 == 0 goto {end}");
        }

        Emit($"r{value} = r0");
        var before = (RegKind[])Regs.Clone();
        use(value);
        MergeRegs(before);
        Emit($"{end}:");
        Drop(value);
    }

    /// <summary>Reads or writes a map value, at a constant or a bounded variable offset.</summary>
    public void ValueAccess(int value, string map)
    {
        var isPlain = map.StartsWith("plain", StringComparison.Ordinal);
        var (low, high) = isPlain ? (0, 64) : map.StartsWith("held", StringComparison.Ordinal) ? (32, 48) : (40, 48);
        if (isPlain && Chance(2))
        {
            VariableAccess(value);
            return;
        }

        var size = Pick<int>(1, 2, 4, 8);
        var off = low + (Random.Next(Math.Max(1, high - low - size + 1) + (Errs(20) ? 9 : 0)) / size * size);
        if (Chance(3))
        {
            Emit($"*(u{size * 8} *)(r{value} + {off}) = r{AnyScalar()}");
        }
        else if (size >= 4 && Chance(3))
        {
            Atomic($"r{value}", off / 8 * 8);
        }
        else
        {
            var to = AnyTarget();
            Emit($"r{to} = *({(Chance(3) && size < 8 ? 's' : 'u')}{size * 8} *)(r{value} + {off})");
            Regs[to] = RegKind.Scalar;
        }
    }

    // The bound is sometimes too high by a little: then the verifier must see it.
    private void VariableAccess(int value)
    {
        var index = AnyScalar();
        var size = Pick<int>(1, 2, 4, 8);
        var bound = 64 - size + (Errs(4) ? Random.Next(-3, 4) : 0);
        var out1 = NewLabel();
        var scale = Chance(3) ? Pick<int>(1, 2, 3) : 0;
        switch (Random.Next(4))
        {
            case 0:
                Emit($"r{index} &= {Pick<int>(7, 15, 31, 56, 63)}");
                break;
            case 1:
                Emit($"if {(Errs(9) ? 'w' : 'r')}{index} > {bound >> scale} goto {out1}");
                break;
            case 2:
                Emit($"if r{index} s> {bound >> scale} goto {out1}");
                Emit($"if r{index} s< {(Errs(9) ? -1 : Random.Next(3))} goto {out1}");
                break;
            default:
                Emit($"r{index} %= {Math.Max(1, bound >> scale)}");
                break;
        }

        var before = (RegKind[])Regs.Clone();
        if (scale > 0)
        {
            Emit($"{Pick<string>("r", "r", "w")}{index} <<= {scale}");
        }

        var at = AnyTarget(not: index);
        Emit($"r{at} = r{value}");
        Emit(Errs(8) ? $"r{at} -= r{index}" : $"r{at} += r{index}");
        Emit(Chance(2)
            ? $"*(u{size * 8} *)(r{at} + 0) = r{index}"
            : $"r{index} = *(u{size * 8} *)(r{at} {At(Errs(9) ? Random.Next(-2, 9) : 0)})");
        Drop(at);
        before[at] = RegKind.None;
        MergeRegs(before);
        Emit($"{out1}:");
    }

    private void Atomic(string pointer, int off)
    {
        var reg = AnyScalar();
        var wide = Chance(2);
        string type = wide ? "u64" : "u32", r = wide ? "r" : "w";
        switch (Random.Next(4))
        {
            case 0:
                Emit($"lock *({type} *)({pointer} {At(off)}) {Pick<string>("+=", "|=", "&=", "^=")} {r}{reg}");
                break;
            case 1:
                Emit($"{r}{reg} = atomic_fetch_{Pick<string>("add", "or", "and", "xor")}(({type} *)({pointer} "
                    + $"{At(off)}), {r}{reg})");
                break;
            case 2:
                Emit($"{r}{reg} = {(wide ? "xchg_64" : "xchg32_32")}({pointer} {At(off)}, {r}{reg})");
                break;
            default:
                if (Regs[0] is not (RegKind.Kept or RegKind.Context) && reg != 0)
                {
                    Emit($"r0 = {Random.Next(5)}");
                    Emit($"{r}0 = {(wide ? "cmpxchg_64" : "cmpxchg32_32")}({pointer} {At(off)}, {r}0, {r}{reg})");
                    Regs[0] = RegKind.Scalar;
                }

                break;
        }
    }

    private static string At(int off) => off < 0 ? $"- {-off}" : $"+ {off}";
}
