using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>
/// Linux 7.2's: one range of each width, an arc, in place of a signed and an unsigned one. What arithmetic makes of
/// arcs is in <see cref="ArcAlu"/>.
/// </summary>
internal sealed class ArcRules : ScalarRules
{
    public static ArcRules Instance { get; } = new();

    public override void Sync(ref ScalarRange r)
    {
        if (r.IsEmpty)
        {
            return;
        }

        LearnFromBits(ref r);
        Arc<ulong> wide = r.Wide;
        Arc<uint> low = r.Low;
        for (var round = 0; round < 2; round++)
        {
            low = low.Intersect(wide.LowHalf<ulong, uint>());
            wide = wide.KeepLowHalf(low);
        }

        r.Wide = wide;
        r.Low = low;
        r.LearnBitsFromRanges();
        LearnFromBits(ref r);
    }

    public override void AddRanges(ref ScalarRange dst, in ScalarRange src)
    {
        dst.Low += src.Low;
        dst.Wide += src.Wide;
    }

    public override void MoveUp(ref ScalarRange dst, in ScalarRange ptr, in ScalarRange off) =>
        dst.Wide = ptr.Wide + off.Wide;

    public override void MoveDown(ref ScalarRange dst, in ScalarRange ptr, in ScalarRange off) =>
        dst.Wide = ptr.Wide - off.Wide;

    public override bool Apply(byte op, bool isSigned, bool is32, ref ScalarRange dst, in ScalarRange src)
    {
        if (!ArcAlu.TryCompute(op, isSigned, is32, ref dst, src))
        {
            dst.SetUnknown();
            return false;
        }

        if (is32)
        {
            ZeroExtend32(ref dst);
        }

        Sync(ref dst);
        return true;
    }

    public override bool NegateOrSwap(in BpfInsn insn, ref ScalarRange r)
    {
        if ((insn.Opcode & BpfOp.OpMask) == BpfOp.Neg)
        {
            var old = r;
            r = ScalarRange.Const(0);
            return Apply(BpfOp.Sub, false, insn.Class == InsnClass.Alu, ref r, old);
        }

        if (insn.Class == InsnClass.Alu64 || (insn.Opcode & BpfOp.X) != 0)
        {
            r.Bits = ScalarQuotients.Swap(r.Bits, insn.Imm);
            r.SetUnbounded();
        }

        if (insn.Imm is 16 or 32)
        {
            Truncate(ref r, insn.Imm / 8);
        }

        Sync(ref r);
        return true;
    }

    public override bool? Predict(byte op, in ScalarRange a, in ScalarRange b, bool is32, bool isSame)
    {
        if (isSame)
        {
            return ScalarBranch.PredictSame(op, a, is32);
        }

        if (ScalarBranch.Predict(op, a, b, is32) is { } known)
        {
            return known;
        }

        if (op == BpfOp.Jset && !a.IsConstIn(is32) && !b.IsConstIn(is32))
        {
            return null;
        }

        return !Leaves(ScalarBranch.Negate(op), a, b, is32) ? true : !Leaves(op, a, b, is32) ? false : null;
    }

    public override void Refine(
        byte op, bool is32, ref ScalarRange taken, ref ScalarRange takenSrc, ref ScalarRange other, ref ScalarRange src)
    {
        Keep(ScalarBranch.Negate(op), ref other, ref src, is32);
        Keep(op, ref taken, ref takenSrc, is32);
    }

    public override void Truncate(ref ScalarRange r, int sizeBytes)
    {
        r.TruncateRanges(sizeBytes);
        r.Wide = Arc<ulong>.Unsigned(r.UMin, r.UMax);
        if (sizeBytes < 4)
        {
            r.SetUnbounded32();
        }

        Sync(ref r);
    }

    public override void ZeroExtend32(ref ScalarRange r)
    {
        r.Bits = r.Bits.Subreg;
        r.Wide = Arc<ulong>.Unsigned(r.U32Min, r.U32Max);
    }

    public override void ClampS32(ref ScalarRange r, int min, int max)
    {
        r.Low = Signed(Math.Max(r.S32Min, min), Math.Min(r.S32Max, max));
        r.Wide = Signed(Math.Max(r.SMin, min), Math.Min(r.SMax, max));
        Sync(ref r);
    }

    public override void SetSigned(ref ScalarRange r, long min, long max)
    {
        r.Low = Signed((int)min, (int)max);
        r.Wide = Signed(min, max);
        Sync(ref r);
    }

    public override string Describe(in ScalarRange r) =>
        $"r64={{.base={Hex(r.Wide.First)}, .size={Hex(r.Wide.Span)}}} "
        + $"r32={{.base={Hex(r.Low.First)}, .size={Hex(r.Low.Span)}}} "
        + $"var_off=({Hex(r.Bits.Value)}, {Hex(r.Bits.Mask)})";

    /// <summary>
    /// Tightens the arcs by the known bits; where one number alone is in both, it is that. Kernel:
    /// <c>__update_reg_bounds</c>.
    /// </summary>
    internal static void LearnFromBits(ref ScalarRange r)
    {
        LearnLowFromBits(ref r);
        r.Wide = r.Wide.Intersect(Arc<ulong>.OfBits(r.Bits.Value, r.Bits.Mask));
        ulong min = r.UMin, max = r.UMax, next = r.Bits.NextAbove(min);
        if (r.Bits.Contains(min))
        {
            if (next > max)
            {
                r.SetConst(min);
            }
        }
        else if (next == r.Bits.Max || (next <= max && r.Bits.NextAbove(next) > max))
        {
            r.SetConst(next);
        }
    }

    /// <summary>The same of the low half. Kernel: <c>__update_reg32_bounds</c>.</summary>
    internal static void LearnLowFromBits(ref ScalarRange r) =>
        r.Low = r.Low.Intersect(Arc<uint>.OfBits((uint)r.Bits.Value, (uint)r.Bits.Mask));

    private static Arc<ulong> Signed(long min, long max) => Arc<ulong>.Signed((ulong)min, (ulong)max);

    private static Arc<uint> Signed(int min, int max) => Arc<uint>.Signed((uint)min, (uint)max);

    // Whether the branch where the comparison holds leaves a number for either operand.
    private bool Leaves(byte op, ScalarRange a, ScalarRange b, bool is32)
    {
        Keep(op, ref a, ref b, is32);
        return !a.IsEmpty && !b.IsEmpty;
    }

    private void Keep(byte op, ref ScalarRange a, ref ScalarRange b, bool is32)
    {
        KeepOnly(op, ref a, ref b, is32);
        Sync(ref a);
        Sync(ref b);
    }

    private static void KeepOnly(byte op, ref ScalarRange a, ref ScalarRange b, bool is32)
    {
        switch (op)
        {
            case BpfOp.Jeq when is32:
                b.Low = a.Low = a.Low.Intersect(b.Low);
                ScalarBranch.MeetLowBits(ref a, ref b);
                break;
            case BpfOp.Jeq:
                b.Wide = a.Wide = a.Wide.Intersect(b.Wide);
                b.Bits = a.Bits = a.Bits.Intersect(b.Bits);
                break;
            case BpfOp.Jne or BpfOp.Jset or ScalarBranch.NotJset when b.IsConstIn(is32):
                KeepByConst(op, ref a, b.ConstValueIn(is32), is32);
                break;
            case BpfOp.Jne or BpfOp.Jset or ScalarBranch.NotJset when a.IsConstIn(is32):
                KeepByConst(op, ref b, a.ConstValueIn(is32), is32);
                break;
            case BpfOp.Jle or BpfOp.Jlt:
                OrderUnsigned(ref a, ref b, op == BpfOp.Jlt, is32);
                break;
            case BpfOp.Jge or BpfOp.Jgt:
                OrderUnsigned(ref b, ref a, op == BpfOp.Jgt, is32);
                break;
            case BpfOp.Jsle or BpfOp.Jslt:
                OrderSigned(ref a, ref b, op == BpfOp.Jslt, is32);
                break;
            case BpfOp.Jsge or BpfOp.Jsgt:
                OrderSigned(ref b, ref a, op == BpfOp.Jsgt, is32);
                break;
            default:
                break;
        }
    }

    private static void KeepByConst(byte op, ref ScalarRange a, ulong value, bool is32)
    {
        if (op != BpfOp.Jne)
        {
            ScalarBranch.KeepBits(op, ref a, value, is32);
        }
        else if (is32)
        {
            a.Low = a.Low.Intersect(Arc<uint>.Except((uint)value));
        }
        else
        {
            a.Wide = a.Wide.Intersect(Arc<ulong>.Except(value));
        }
    }

    // lower <= upper, or lower < upper. The second step reads what the first left, as the kernel's does.
    private static void OrderUnsigned(ref ScalarRange lower, ref ScalarRange upper, bool strict, bool is32)
    {
        var gap = strict ? 1u : 0u;
        if (is32)
        {
            lower.Low = lower.Low.Intersect(Arc<uint>.Unsigned(0, upper.U32Max - gap));
            upper.Low = upper.Low.Intersect(Arc<uint>.Unsigned(lower.U32Min + gap, uint.MaxValue));
        }
        else
        {
            lower.Wide = lower.Wide.Intersect(Arc<ulong>.Unsigned(0, upper.UMax - gap));
            upper.Wide = upper.Wide.Intersect(Arc<ulong>.Unsigned(lower.UMin + gap, ulong.MaxValue));
        }
    }

    private static void OrderSigned(ref ScalarRange lower, ref ScalarRange upper, bool strict, bool is32)
    {
        var gap = strict ? 1 : 0;
        if (is32)
        {
            lower.Low = lower.Low.Intersect(Signed(int.MinValue, unchecked(upper.S32Max - gap)));
            upper.Low = upper.Low.Intersect(Signed(unchecked(lower.S32Min + gap), int.MaxValue));
        }
        else
        {
            lower.Wide = lower.Wide.Intersect(Signed(long.MinValue, unchecked(upper.SMax - gap)));
            upper.Wide = upper.Wide.Intersect(Signed(unchecked(lower.SMin + gap), long.MaxValue));
        }
    }
}
