using System.Numerics;
using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>What kernels knew of numbers before 6.8: one round of deduction, comparisons with constants.</summary>
/// <remarks>The laws are those of <see cref="ScalarAlu"/> and <see cref="ScalarBranch"/>. Kernel: 6.1.</remarks>
internal static class EarlyScalars
{
    /// <summary>Kernel: <c>reg_bounds_sync</c>.</summary>
    public static void Sync(ref ScalarRange r)
    {
        r.LearnRangesFromBits();
        LearnSign32(ref r);
        LearnSign64(ref r);
        r.LearnBitsFromRanges();
        r.LearnRangesFromBits();
    }

    /// <inheritdoc cref="ScalarAlu.Apply"/>
    public static bool Apply(byte op, bool is32, ref ScalarRange dst, in ScalarRange src)
    {
        var known = src.IsConstIn(is32);
        if (IsTainted(src, known, is32) || (!known && op is not (BpfOp.Add or BpfOp.Sub or BpfOp.And))
            || (op is BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh && src.UMax >= (is32 ? 32UL : 64UL)))
        {
            dst.SetUnknown();
            return false;
        }

        switch (op)
        {
            case BpfOp.Add:
                ScalarSums.Add(ref dst, src);
                break;
            case BpfOp.Sub:
                ScalarSums.Sub(ref dst, src);
                break;
            case BpfOp.Mul:
                ScalarSums.Mul(ref dst, src);
                break;
            case BpfOp.And or BpfOp.Or or BpfOp.Xor:
                Bitwise(op, ref dst, src);
                break;
            case BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh:
                ScalarShifts.Apply(op, is32, ref dst, src);
                break;
            default:
                dst.SetUnknown();
                return false;
        }

        if (is32)
        {
            dst.ZeroExtend32();
        }

        Sync(ref dst);
        return true;
    }

    /// <summary>Whether <c>if (a op value)</c> is certain. Kernel: <c>is_branch_taken</c>.</summary>
    public static bool? Predict(byte op, in ScalarRange a, in ScalarRange value, bool is32)
    {
        if (!value.IsConstIn(is32))
        {
            return null;
        }

        var isKnown = a.IsConstIn(is32);
        return op switch
        {
            BpfOp.Jeq => isKnown ? a.ConstValueIn(is32) == value.ConstValueIn(is32) : null,
            BpfOp.Jne => isKnown ? a.ConstValueIn(is32) != value.ConstValueIn(is32) : null,
            _ => ScalarBranch.Predict(op, a, ScalarRange.Const(is32
                ? (ulong)(uint)value.ConstValue : value.ConstValue), is32),
        };
    }

    /// <summary>
    /// Keeps of both numbers what is possible on the branch taken and on the other. Kernel: <c>reg_set_min_max</c>.
    /// </summary>
    public static void Refine(
        byte op, bool is32, ref ScalarRange taken, ref ScalarRange takenSrc, ref ScalarRange other, ref ScalarRange src)
    {
        if (src.IsConst || (is32 && src.Bits.IsSubregConst))
        {
            RefineByConst(op, is32, ref taken, ref other, src.Bits.Value);
        }
        else if (other.IsConst || (is32 && other.Bits.IsSubregConst))
        {
            RefineByConst(ScalarBranch.Flip(op), is32, ref takenSrc, ref src, other.Bits.Value);
        }
        else if (!is32 && op == BpfOp.Jeq)
        {
            Meet(ref taken, ref takenSrc);
        }
        else if (!is32 && op == BpfOp.Jne)
        {
            Meet(ref other, ref src);
        }
    }

    /// <summary>What a load of fewer than 8 bytes leaves. Kernel: <c>coerce_reg_to_size</c>.</summary>
    public static void Truncate(ref ScalarRange r, int sizeBytes)
    {
        r.TruncateRanges(sizeBytes);
        if (sizeBytes < 4)
        {
            LearnLowFromWide(ref r);
        }
    }

    // What a known operand is by its bits it must be by its ranges: on paths that cannot be, it is not.
    private static bool IsTainted(in ScalarRange src, bool known, bool is32) => is32
        ? (known && (src.S32Min != src.S32Max || src.U32Min != src.U32Max))
            || src.S32Min > src.S32Max || src.U32Min > src.U32Max
        : (known && (src.SMin != src.SMax || src.UMin != src.UMax)) || src.SMin > src.SMax || src.UMin > src.UMax;

    // Signed ranges are kept where no operand can be negative.
    private static void Bitwise(byte op, ref ScalarRange dst, in ScalarRange src)
    {
        var old = dst;
        dst.Bits = op switch
        {
            BpfOp.And => dst.Bits & src.Bits,
            BpfOp.Or => dst.Bits | src.Bits,
            _ => dst.Bits ^ src.Bits,
        };
        if (src.Bits.IsSubregConst && dst.Bits.IsSubregConst)
        {
            dst.SetConst32((uint)dst.Bits.Value);
        }
        else
        {
            uint low = (uint)dst.Bits.Value, high = (uint)dst.Bits.Max;
            dst.U32Min = op == BpfOp.Or ? Math.Max(old.U32Min, src.U32Min) : low;
            dst.U32Max = op == BpfOp.And ? Math.Min(old.U32Max, src.U32Max) : high;
            (dst.S32Min, dst.S32Max) = old.S32Min < 0 || src.S32Min < 0
                ? (int.MinValue, int.MaxValue) : ((int)dst.U32Min, (int)dst.U32Max);
        }

        if (src.IsConst && dst.IsConst)
        {
            dst.SetConst(dst.Bits.Value);
            return;
        }

        dst.UMin = op == BpfOp.Or ? Math.Max(old.UMin, src.UMin) : dst.Bits.Value;
        dst.UMax = op == BpfOp.And ? Math.Min(old.UMax, src.UMax) : dst.Bits.Max;
        (dst.SMin, dst.SMax) = old.SMin < 0 || src.SMin < 0
            ? (long.MinValue, long.MaxValue) : ((long)dst.UMin, (long)dst.UMax);
        dst.LearnRangesFromBits();
    }

    private static void RefineByConst(byte op, bool is32, ref ScalarRange taken, ref ScalarRange other, ulong value)
    {
        switch (op)
        {
            case BpfOp.Jeq:
                Fix(ref taken, value, is32);
                break;
            case BpfOp.Jne:
                Fix(ref other, value, is32);
                break;
            case BpfOp.Jset:
                var clear = is32 ? ~(ulong)(uint)value : ~value;
                other.SetUnbounded();
                other.Bits &= Tnum.Const(clear);
                if (BitOperations.IsPow2(is32 ? (uint)value : value))
                {
                    taken.Bits |= Tnum.Const(is32 ? (uint)value : value);
                }

                break;
            case BpfOp.Jge or BpfOp.Jgt:
                OrderUnsigned(ref other, ref taken, op == BpfOp.Jge, value, is32);
                break;
            case BpfOp.Jle or BpfOp.Jlt:
                OrderUnsigned(ref taken, ref other, op == BpfOp.Jlt, value, is32);
                break;
            case BpfOp.Jsge or BpfOp.Jsgt:
                OrderSigned(ref other, ref taken, op == BpfOp.Jsge, (long)value, is32);
                break;
            case BpfOp.Jsle or BpfOp.Jslt:
                OrderSigned(ref taken, ref other, op == BpfOp.Jslt, (long)value, is32);
                break;
            default:
                return;
        }

        Finish(ref taken, is32);
        Finish(ref other, is32);
    }

    private static void Fix(ref ScalarRange r, ulong value, bool is32)
    {
        if (is32)
        {
            r.SetConst32((uint)value);
        }
        else
        {
            r.SetConst(value);
        }
    }

    // The one below is at most the value, or less where strict; the one above at least, or more where not.
    private static void OrderUnsigned(
        ref ScalarRange below, ref ScalarRange above, bool strict, ulong value, bool is32)
    {
        if (is32)
        {
            var low = (uint)value;
            below.U32Max = Math.Min(below.U32Max, strict ? low - 1 : low);
            above.U32Min = Math.Max(above.U32Min, strict ? low : low + 1);
        }
        else
        {
            below.UMax = Math.Min(below.UMax, strict ? value - 1 : value);
            above.UMin = Math.Max(above.UMin, strict ? value : value + 1);
        }
    }

    private static void OrderSigned(ref ScalarRange below, ref ScalarRange above, bool strict, long value, bool is32)
    {
        if (is32)
        {
            var low = (int)value;
            below.S32Max = Math.Min(below.S32Max, strict ? low - 1 : low);
            above.S32Min = Math.Max(above.S32Min, strict ? low : low + 1);
        }
        else
        {
            below.SMax = Math.Min(below.SMax, strict ? value - 1 : value);
            above.SMin = Math.Max(above.SMin, strict ? value : value + 1);
        }
    }

    private static void Finish(ref ScalarRange r, bool is32)
    {
        if (!is32)
        {
            LearnLowFromWide(ref r);
            return;
        }

        if ((r.Bits.Value | r.Bits.Mask) >> 32 == 0)
        {
            r.ZeroExtend32();
        }
        else
        {
            r.SetUnbounded64();
        }

        Sync(ref r);
    }

    private static void LearnLowFromWide(ref ScalarRange r)
    {
        r.SetUnbounded32();
        if (r.SMin >= int.MinValue && r.SMin <= int.MaxValue && r.SMax >= int.MinValue && r.SMax <= int.MaxValue)
        {
            r.S32Min = (int)r.SMin;
            r.S32Max = (int)r.SMax;
        }

        if (r.UMin <= uint.MaxValue && r.UMax <= uint.MaxValue)
        {
            r.U32Min = (uint)r.UMin;
            r.U32Max = (uint)r.UMax;
        }

        Sync(ref r);
    }

    private static void Meet(ref ScalarRange a, ref ScalarRange b)
    {
        b.UMin = a.UMin = Math.Max(a.UMin, b.UMin);
        b.UMax = a.UMax = Math.Min(a.UMax, b.UMax);
        b.SMin = a.SMin = Math.Max(a.SMin, b.SMin);
        b.SMax = a.SMax = Math.Min(a.SMax, b.SMax);
        b.Bits = a.Bits = a.Bits.Intersect(b.Bits);
        Sync(ref a);
        Sync(ref b);
    }

    private static void LearnSign32(ref ScalarRange r)
    {
        if (r.S32Min >= 0 || r.S32Max < 0)
        {
            r.U32Min = Math.Max((uint)r.S32Min, r.U32Min);
            r.U32Max = Math.Min((uint)r.S32Max, r.U32Max);
            (r.S32Min, r.S32Max) = ((int)r.U32Min, (int)r.U32Max);
        }
        else if ((int)r.U32Max >= 0)
        {
            r.S32Min = (int)r.U32Min;
            r.U32Max = Math.Min((uint)r.S32Max, r.U32Max);
            r.S32Max = (int)r.U32Max;
        }
        else if ((int)r.U32Min < 0)
        {
            r.U32Min = Math.Max((uint)r.S32Min, r.U32Min);
            r.S32Min = (int)r.U32Min;
            r.S32Max = (int)r.U32Max;
        }
    }

    private static void LearnSign64(ref ScalarRange r)
    {
        if (r.SMin >= 0 || r.SMax < 0)
        {
            r.UMin = Math.Max((ulong)r.SMin, r.UMin);
            r.UMax = Math.Min((ulong)r.SMax, r.UMax);
            (r.SMin, r.SMax) = ((long)r.UMin, (long)r.UMax);
        }
        else if ((long)r.UMax >= 0)
        {
            r.SMin = (long)r.UMin;
            r.UMax = Math.Min((ulong)r.SMax, r.UMax);
            r.SMax = (long)r.UMax;
        }
        else if ((long)r.UMin < 0)
        {
            r.UMin = Math.Max((ulong)r.SMin, r.UMin);
            r.SMin = (long)r.UMin;
            r.SMax = (long)r.UMax;
        }
    }
}
