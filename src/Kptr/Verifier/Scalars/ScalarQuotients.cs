using System.Buffers.Binary;
using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>What division and modulo by a constant and byte swaps do to known numbers, for kernels that know.</summary>
/// <remarks>The laws are those of <see cref="ScalarAlu"/>. Kernel: <c>adjust_scalar_min_max_vals</c>, 7.2.</remarks>
internal static class ScalarQuotients
{
    /// <summary>Computes a quotient or a remainder, before zero extension and a sync.</summary>
    /// <param name="op"><see cref="BpfOp.Div"/> or <see cref="BpfOp.Mod"/>.</param>
    /// <param name="isSigned">Whether the operands are signed.</param>
    /// <param name="is32">Whether the low halves are divided.</param>
    /// <param name="dst">The dividend and the result.</param>
    /// <param name="src">The divisor.</param>
    /// <returns>False where the result is unknown: the divisor is no constant.</returns>
    public static bool TryDivide(byte op, bool isSigned, bool is32, ref ScalarRange dst, in ScalarRange src)
    {
        if (!ScalarAlu.IsConst(src, is32))
        {
            return false;
        }

        if (is32 ? src.U32Min == 0 : src.UMin == 0)
        {
            if (op == BpfOp.Div)
            {
                dst.SetConst(0);
            }
        }
        else if (is32)
        {
            Divide32(op, isSigned, ref dst, src.U32Min);
        }
        else
        {
            Divide64(op, isSigned, ref dst, src.UMin);
        }

        return true;
    }

    /// <summary>The bits of the low 2, 4 or all 8 bytes in the opposite order.</summary>
    public static Tnum Swap(Tnum bits, int width) => width switch
    {
        16 => new(
            BinaryPrimitives.ReverseEndianness((ushort)bits.Value),
            BinaryPrimitives.ReverseEndianness((ushort)bits.Mask)),
        32 => new(
            BinaryPrimitives.ReverseEndianness((uint)bits.Value),
            BinaryPrimitives.ReverseEndianness((uint)bits.Mask)),
        _ => new(BinaryPrimitives.ReverseEndianness(bits.Value), BinaryPrimitives.ReverseEndianness(bits.Mask)),
    };

    private static void Divide64(byte op, bool isSigned, ref ScalarRange dst, ulong by)
    {
        var old = dst;
        if (!isSigned)
        {
            if (op == BpfOp.Mod && old.UMax < by)
            {
                return;
            }

            Forget(ref dst);
            (dst.UMin, dst.UMax) = op == BpfOp.Div
                ? (old.UMin / by, old.UMax / by)
                : (0, Math.Min(old.UMax, by - 1));
            return;
        }

        if (op == BpfOp.Div)
        {
            Forget(ref dst);
            (dst.SMin, dst.SMax) = Quotient((long)by, old.SMin, old.SMax, long.MinValue, long.MaxValue);
            return;
        }

        var most = (long)(((long)by > 0 ? by : 0 - by) - 1);
        if (old.SMin >= -most && old.SMax <= most)
        {
            return;
        }

        Forget(ref dst);
        (dst.SMin, dst.SMax) = Remainder(most, old.SMin, old.SMax);
    }

    private static void Divide32(byte op, bool isSigned, ref ScalarRange dst, uint by)
    {
        var old = dst;
        if (!isSigned)
        {
            if (op == BpfOp.Mod && old.U32Max < by)
            {
                return;
            }

            Forget(ref dst);
            (dst.U32Min, dst.U32Max) = op == BpfOp.Div
                ? (old.U32Min / by, old.U32Max / by)
                : (0, Math.Min(old.U32Max, by - 1));
            return;
        }

        if (op == BpfOp.Div)
        {
            Forget(ref dst);
            var (low, high) = Quotient((int)by, old.S32Min, old.S32Max, int.MinValue, int.MaxValue);
            (dst.S32Min, dst.S32Max) = ((int)low, (int)high);
            return;
        }

        var most = (int)(((int)by > 0 ? by : 0 - by) - 1);
        if (old.S32Min >= -most && old.S32Max <= most)
        {
            return;
        }

        Forget(ref dst);
        var (min, max) = Remainder(most, old.S32Min, old.S32Max);
        (dst.S32Min, dst.S32Max) = ((int)min, (int)max);
    }

    private static void Forget(ref ScalarRange r)
    {
        r.SetUnbounded();
        r.Bits = Tnum.Unknown;
    }

    // The lowest number divided by -1 is itself: with others in the range it can be anything.
    private static (long Low, long High) Quotient(long by, long min, long max, long lowest, long highest)
    {
        if (min == lowest && by == -1)
        {
            return (min, max == lowest ? max : highest);
        }

        return (Math.Min(min / by, max / by), Math.Max(min / by, max / by));
    }

    // A remainder has the sign of its dividend.
    private static (long Low, long High) Remainder(long most, long min, long max) =>
        min >= 0 ? (0, Math.Min(max, most))
        : max <= 0 ? (Math.Max(min, -most), 0)
        : (-most, most);
}
