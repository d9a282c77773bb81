using System.Numerics;
using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>What a comparison tells of two numbers, and what two numbers tell of a comparison.</summary>
internal static class ScalarBranch
{
    /// <summary>The branch of a bit test that is not taken has no opcode of its own; it gets this one.</summary>
    internal const byte NotJset = BpfOp.Jset | BpfOp.X;

    /// <summary>Whether <c>if (a op b)</c> is always (true), never (false) or sometimes (null) taken.</summary>
    /// <param name="op">The operation bits of the jump (<see cref="BpfOp.Jeq"/>...).</param>
    /// <param name="a">Left operand.</param>
    /// <param name="b">Right operand.</param>
    /// <param name="is32">Whether only the low halves are compared.</param>
    /// <remarks>Kernel: <c>is_scalar_branch_taken</c>.</remarks>
    public static bool? Predict(byte op, in ScalarRange a, in ScalarRange b, bool is32)
    {
        switch (op)
        {
            case BpfOp.Jeq:
                return IsEqual(a, b, is32);
            case BpfOp.Jne:
                return !IsEqual(a, b, is32);
            case BpfOp.Jset:
                return TestsBit(a, b, is32);
            case BpfOp.Jgt:
                return IsAbove(UMin(a, is32), UMax(a, is32), UMin(b, is32), UMax(b, is32));
            case BpfOp.Jle:
                return !IsAbove(UMin(a, is32), UMax(a, is32), UMin(b, is32), UMax(b, is32));
            case BpfOp.Jlt:
                return IsAbove(UMin(b, is32), UMax(b, is32), UMin(a, is32), UMax(a, is32));
            case BpfOp.Jge:
                return !IsAbove(UMin(b, is32), UMax(b, is32), UMin(a, is32), UMax(a, is32));
            case BpfOp.Jsgt:
                return IsAbove(SMin(a, is32), SMax(a, is32), SMin(b, is32), SMax(b, is32));
            case BpfOp.Jsle:
                return !IsAbove(SMin(a, is32), SMax(a, is32), SMin(b, is32), SMax(b, is32));
            case BpfOp.Jslt:
                return IsAbove(SMin(b, is32), SMax(b, is32), SMin(a, is32), SMax(a, is32));
            case BpfOp.Jsge:
                return !IsAbove(SMin(b, is32), SMax(b, is32), SMin(a, is32), SMax(a, is32));
            default:
                return null;
        }
    }

    /// <summary>Keeps of both numbers what is possible where <c>a op b</c> holds, or where it does not.</summary>
    /// <remarks>
    /// Operands may be one and the same register. Kernel: <c>regs_refine_cond_op</c> and the sync after it.
    /// </remarks>
    public static void Refine(byte op, bool holds, ref ScalarRange a, ref ScalarRange b, bool is32)
    {
        RefineOnly(holds ? op : Negate(op), ref a, ref b, is32);
        a.Sync();
        b.Sync();
    }

    /// <summary>The operation with its operands exchanged: a &lt; b is b &gt; a.</summary>
    public static byte Flip(byte op) => op switch
    {
        BpfOp.Jge => BpfOp.Jle,
        BpfOp.Jle => BpfOp.Jge,
        BpfOp.Jgt => BpfOp.Jlt,
        BpfOp.Jlt => BpfOp.Jgt,
        BpfOp.Jsge => BpfOp.Jsle,
        BpfOp.Jsle => BpfOp.Jsge,
        BpfOp.Jsgt => BpfOp.Jslt,
        BpfOp.Jslt => BpfOp.Jsgt,
        _ => op,
    };

    /// <summary>The operation that holds where this one does not.</summary>
    internal static byte Negate(byte op) => op switch
    {
        BpfOp.Jeq => BpfOp.Jne,
        BpfOp.Jne => BpfOp.Jeq,
        BpfOp.Jset => NotJset,
        BpfOp.Jge => BpfOp.Jlt,
        BpfOp.Jgt => BpfOp.Jle,
        BpfOp.Jle => BpfOp.Jgt,
        BpfOp.Jlt => BpfOp.Jge,
        BpfOp.Jsge => BpfOp.Jslt,
        BpfOp.Jsgt => BpfOp.Jsle,
        BpfOp.Jsle => BpfOp.Jsgt,
        BpfOp.Jslt => BpfOp.Jsge,
        _ => op,
    };

    /// <summary>The same as <see cref="Predict"/>, of a register compared with itself.</summary>
    internal static bool? PredictSame(byte op, in ScalarRange a, bool is32) => op switch
    {
        BpfOp.Jeq or BpfOp.Jge or BpfOp.Jle or BpfOp.Jsge or BpfOp.Jsle => true,
        BpfOp.Jne or BpfOp.Jgt or BpfOp.Jlt or BpfOp.Jsgt or BpfOp.Jslt => false,
        BpfOp.Jset when a.IsConstIn(is32) => a.ConstValueIn(is32) != 0,
        BpfOp.Jset => SMin(a, is32) <= 0 && SMax(a, is32) >= 0 ? null : true,
        _ => null,
    };

    /// <summary>Keeps of the bits what a bit test with a constant leaves.</summary>
    internal static void KeepBits(byte op, ref ScalarRange a, ulong value, bool is32)
    {
        if (op == NotJset)
        {
            // The ranges go first: on a path that cannot be taken they would contradict the bits.
            a.SetUnbounded();
            var cleared = a.Bits & Tnum.Const(~value);
            a.Bits = is32 ? a.Bits.WithSubreg(cleared) : cleared;
        }
        else if (BitOperations.IsPow2(value))
        {
            a.Bits |= Tnum.Const(value);
        }
    }

    /// <summary>Keeps of both low halves the bits that are possible in both.</summary>
    internal static void MeetLowBits(ref ScalarRange a, ref ScalarRange b)
    {
        var low = a.Bits.Subreg.Intersect(b.Bits.Subreg);
        a.Bits = a.Bits.WithSubreg(low);
        b.Bits = b.Bits.WithSubreg(low);
    }

    private static bool? IsEqual(in ScalarRange a, in ScalarRange b, bool is32)
    {
        Tnum x = is32 ? a.Bits.Subreg : a.Bits, y = is32 ? b.Bits.Subreg : b.Bits;
        if (x.IsConst && y.IsConst)
        {
            return x.Value == y.Value;
        }

        var apart = !x.Overlaps(y)
            || a.U32Min > b.U32Max || a.U32Max < b.U32Min || a.S32Min > b.S32Max || a.S32Max < b.S32Min
            || (!is32 && (a.UMin > b.UMax || a.UMax < b.UMin || a.SMin > b.SMax || a.SMax < b.SMin));
        return apart ? false : null;
    }

    private static bool? TestsBit(in ScalarRange a, in ScalarRange b, bool is32)
    {
        if (!b.IsConstIn(is32))
        {
            return a.IsConstIn(is32) ? TestsBit(b, a, is32) : null;
        }

        var mask = b.ConstValueIn(is32);
        if ((a.Bits.Value & ~a.Bits.Mask & mask) != 0)
        {
            return true;
        }

        return (a.Bits.Max & mask) == 0 ? false : null;
    }

    private static bool? IsAbove<T>(T minA, T maxA, T minB, T maxB)
        where T : IComparisonOperators<T, T, bool> =>
        minA > maxB ? true : maxA <= minB ? false : null;

    private static ulong UMin(in ScalarRange r, bool is32) => is32 ? r.U32Min : r.UMin;

    private static ulong UMax(in ScalarRange r, bool is32) => is32 ? r.U32Max : r.UMax;

    private static long SMin(in ScalarRange r, bool is32) => is32 ? r.S32Min : r.SMin;

    private static long SMax(in ScalarRange r, bool is32) => is32 ? r.S32Max : r.SMax;

    private static void RefineOnly(byte op, ref ScalarRange a, ref ScalarRange b, bool is32)
    {
        switch (op)
        {
            case BpfOp.Jeq when is32:
                MeetLow(ref a, ref b);
                break;
            case BpfOp.Jeq:
                Meet(ref a, ref b);
                break;
            case BpfOp.Jne or BpfOp.Jset or NotJset when b.IsConstIn(is32):
                RefineByConst(op, ref a, b.ConstValueIn(is32), is32);
                break;
            case BpfOp.Jne or BpfOp.Jset or NotJset when a.IsConstIn(is32):
                RefineByConst(op, ref b, a.ConstValueIn(is32), is32);
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

    private static void Meet(ref ScalarRange a, ref ScalarRange b)
    {
        b.UMin = a.UMin = Math.Max(a.UMin, b.UMin);
        b.UMax = a.UMax = Math.Min(a.UMax, b.UMax);
        b.SMin = a.SMin = Math.Max(a.SMin, b.SMin);
        b.SMax = a.SMax = Math.Min(a.SMax, b.SMax);
        b.Bits = a.Bits = a.Bits.Intersect(b.Bits);
    }

    private static void MeetLow(ref ScalarRange a, ref ScalarRange b)
    {
        b.U32Min = a.U32Min = Math.Max(a.U32Min, b.U32Min);
        b.U32Max = a.U32Max = Math.Min(a.U32Max, b.U32Max);
        b.S32Min = a.S32Min = Math.Max(a.S32Min, b.S32Min);
        b.S32Max = a.S32Max = Math.Min(a.S32Max, b.S32Max);
        MeetLowBits(ref a, ref b);
    }

    private static void RefineByConst(byte op, ref ScalarRange a, ulong value, bool is32)
    {
        if (op == BpfOp.Jne)
        {
            Exclude(ref a, value, is32);
        }
        else
        {
            KeepBits(op, ref a, value, is32);
        }
    }

    private static void Exclude(ref ScalarRange a, ulong value, bool is32)
    {
        if (is32)
        {
            a.U32Min += a.U32Min == (uint)value ? 1u : 0;
            a.U32Max -= a.U32Max == (uint)value ? 1u : 0;
            a.S32Min += a.S32Min == (int)value ? 1 : 0;
            a.S32Max -= a.S32Max == (int)value ? 1 : 0;
        }
        else
        {
            a.UMin += a.UMin == value ? 1u : 0;
            a.UMax -= a.UMax == value ? 1u : 0;
            a.SMin += a.SMin == (long)value ? 1 : 0;
            a.SMax -= a.SMax == (long)value ? 1 : 0;
        }
    }

    // lower <= upper, or lower < upper
    private static void OrderUnsigned(ref ScalarRange lower, ref ScalarRange upper, bool strict, bool is32)
    {
        var gap = strict ? 1u : 0u;
        if (is32)
        {
            lower.U32Max = Math.Min(lower.U32Max, upper.U32Max - gap);
            upper.U32Min = Math.Max(lower.U32Min + gap, upper.U32Min);
        }
        else
        {
            lower.UMax = Math.Min(lower.UMax, upper.UMax - gap);
            upper.UMin = Math.Max(lower.UMin + gap, upper.UMin);
        }
    }

    private static void OrderSigned(ref ScalarRange lower, ref ScalarRange upper, bool strict, bool is32)
    {
        var gap = strict ? 1 : 0;
        if (is32)
        {
            lower.S32Max = Math.Min(lower.S32Max, upper.S32Max - gap);
            upper.S32Min = Math.Max(lower.S32Min + gap, upper.S32Min);
        }
        else
        {
            lower.SMax = Math.Min(lower.SMax, upper.SMax - gap);
            upper.SMin = Math.Max(lower.SMin + gap, upper.SMin);
        }
    }
}
