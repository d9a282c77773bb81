using System.Numerics;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>What instructions make of <see cref="RegFact"/>s.</summary>
/// <remarks>
/// Native code leaves out checks of addresses by these, also in raw instructions: whatever <c>AluOps</c> and
/// <c>JumpOps</c> compute from values that the arguments allow, the result allows.
/// </remarks>
internal static class FactOps
{
    /// <summary>The result of an operation on two registers, or on one and a constant.</summary>
    /// <param name="insn">The instruction, of class Alu or Alu64.</param>
    /// <param name="dst">Its first operand.</param>
    /// <param name="src">Its second.</param>
    internal static RegFact Alu(BpfInsn insn, RegFact dst, RegFact src)
    {
        var is64 = insn.Class == InsnClass.Alu64;
        var op = insn.Opcode & BpfOp.OpMask;
        var all = RegFact.Within(0, is64 ? ulong.MaxValue : uint.MaxValue);
        if (op == BpfOp.End)
        {
            return insn.Imm is 16 or 32 ? RegFact.Within(0, (1UL << (int)insn.Imm) - 1) : RegFact.Unknown;
        }

        if (insn.Off != 0 || op == BpfOp.Neg)
        {
            return all; // by sign, or a cast
        }

        if (!is64)
        {
            return Numbers(op, Low32(dst), Low32(src), uint.MaxValue, 32) ?? all;
        }

        if (op == BpfOp.Mov)
        {
            return src;
        }

        return dst.Base != FactBase.Number || src.Base != FactBase.Number ? Distances(op, dst, src)
            : (Numbers(op, dst, src, ulong.MaxValue, 64) ?? all) with
            {
                IsGuess = op is BpfOp.Add or BpfOp.Sub && (dst.IsGuess || src.IsGuess),
            };
    }

    /// <summary>The lower half, as a number.</summary>
    internal static RegFact Low32(RegFact fact) => fact switch
    {
        { Base: FactBase.Number, High: <= uint.MaxValue } => RegFact.Within(fact.Low, fact.High),
        { Base: FactBase.Number, IsSingle: true } => RegFact.Of((uint)fact.Low),
        _ => RegFact.Within(0, uint.MaxValue),
    };

    private static RegFact Distances(int op, RegFact dst, RegFact src)
    {
        var lost = dst.IsFrame || src.IsFrame ? RegFact.Guess : RegFact.Unknown;
        if (op == BpfOp.Add && dst.Base == FactBase.Number)
        {
            (dst, src) = (src, dst);
        }

        if (op is not (BpfOp.Add or BpfOp.Sub))
        {
            return RegFact.Unknown;
        }

        if (dst.Base == FactBase.Number || src.Base != FactBase.Number || Steps(src) is not var (low, high))
        {
            return lost;
        }

        return op == BpfOp.Add
            ? RegFact.At(dst.Base, dst.Near + low, dst.Far + high)
            : RegFact.At(dst.Base, dst.Near - high, dst.Far - low);
    }

    // A number as one with a sign, where it is small.
    private static (long Low, long High)? Steps(RegFact number) =>
        (long)number.Low <= (long)number.High && (long)number.Low >= -RegFact.DistanceMax
            && (long)number.High <= RegFact.DistanceMax ? ((long)number.Low, (long)number.High) : null;

    private static RegFact? Numbers(int op, RegFact dst, RegFact src, ulong max, int bits)
    {
        var negated = (0 - src.Low) & max; // of a single number: to add it is to take this away
        return op switch
        {
            BpfOp.Mov => src,
            BpfOp.Add => dst.High <= max - src.High ? RegFact.Within(dst.Low + src.Low, dst.High + src.High)
                : src.IsSingle && dst.Low >= negated ? RegFact.Within(dst.Low - negated, dst.High - negated) : null,
            BpfOp.Sub => dst.Low >= src.High ? RegFact.Within(dst.Low - src.High, dst.High - src.Low)
                : src.IsSingle && dst.High <= max - negated
                    ? RegFact.Within(dst.Low + negated, dst.High + negated) : null,
            BpfOp.Mul => (UInt128)dst.High * src.High <= max
                ? RegFact.Within(dst.Low * src.Low, dst.High * src.High) : null,
            BpfOp.And => RegFact.Within(0, Math.Min(dst.High, src.High)),
            BpfOp.Or => RegFact.Within(Math.Max(dst.Low, src.Low), Ones(dst.High | src.High)),
            BpfOp.Xor => RegFact.Within(0, Ones(dst.High | src.High)),
            BpfOp.Lsh => IsShift(src, bits) && dst.High <= max >> (int)src.Low
                ? RegFact.Within(dst.Low << (int)src.Low, dst.High << (int)src.Low) : null,
            BpfOp.Rsh => Shifted(dst, src, bits),
            BpfOp.Arsh => dst.High <= max >> 1 ? Shifted(dst, src, bits) : null,
            BpfOp.Div => src.Low > 0 ? RegFact.Within(dst.Low / src.High, dst.High / src.Low)
                : RegFact.Within(0, dst.High),
            BpfOp.Mod => RegFact.Within(0, src.Low > 0 ? Math.Min(dst.High, src.High - 1) : dst.High),
            _ => null,
        };
    }

    private static RegFact Shifted(RegFact dst, RegFact src, int bits) => IsShift(src, bits)
        ? RegFact.Within(dst.Low >> (int)src.Low, dst.High >> (int)src.Low) : RegFact.Within(0, dst.High);

    private static bool IsShift(RegFact src, int bits) => src.IsSingle && src.Low < (ulong)bits;

    private static ulong Ones(ulong value) => value == 0 ? 0 : ulong.MaxValue >> BitOperations.LeadingZeroCount(value);

    /// <summary>What a jump says of its operands where it is taken, or where it is not.</summary>
    /// <returns>The same where it says nothing, or where control does not get there at all.</returns>
    internal static (RegFact Dst, RegFact Src) Jump(BpfInsn insn, RegFact dst, RegFact src, bool isTaken)
    {
        var max = insn.Class == InsnClass.Jmp ? ulong.MaxValue : uint.MaxValue;
        if (dst.Base != FactBase.Number || src.Base != FactBase.Number || dst.High > max || src.High > max)
        {
            return (dst, src);
        }

        var (d, s) = Narrowed(insn.Opcode & BpfOp.OpMask, dst, src, isTaken, max >> 1);
        return d.Low <= d.High && s.Low <= s.High ? (d, s) : (dst, src);
    }

    private static (RegFact Dst, RegFact Src) Narrowed(int op, RegFact d, RegFact s, bool isTaken, ulong signedMax)
    {
        var arePositive = d.High <= signedMax && s.High <= signedMax;
        switch (op)
        {
            case BpfOp.Jeq when isTaken:
            case BpfOp.Jne when !isTaken:
                var (low, high) = (Math.Max(d.Low, s.Low), Math.Min(d.High, s.High));
                return (d with { Low = low, High = high }, s with { Low = low, High = high });
            case BpfOp.Jgt:
            case BpfOp.Jsgt when arePositive:
                return isTaken ? Swap(Below(s, d)) : UpTo(d, s);
            case BpfOp.Jge:
            case BpfOp.Jsge when arePositive:
                return isTaken ? Swap(UpTo(s, d)) : Below(d, s);
            case BpfOp.Jlt:
            case BpfOp.Jslt when arePositive:
                return isTaken ? Below(d, s) : Swap(UpTo(s, d));
            case BpfOp.Jle:
            case BpfOp.Jsle when arePositive:
                return isTaken ? UpTo(d, s) : Swap(Below(s, d));

            // Above a number that is not negative nothing is: so is what is said to be.
            case BpfOp.Jsgt or BpfOp.Jsge when isTaken && s.High <= signedMax:
            case BpfOp.Jslt or BpfOp.Jsle when !isTaken && s.High <= signedMax:
                return (d with { Low = Math.Max(d.Low, s.Low), High = Math.Min(d.High, signedMax) }, s);
            default:
                return (d, s);
        }
    }

    private static (RegFact A, RegFact B) Swap((RegFact A, RegFact B) pair) => (pair.B, pair.A);

    private static (RegFact A, RegFact B) UpTo(RegFact a, RegFact b) =>
        (a with { High = Math.Min(a.High, b.High) }, b with { Low = Math.Max(b.Low, a.Low) });

    // Where none is below, the bounds cross, and nothing is said.
    private static (RegFact A, RegFact B) Below(RegFact a, RegFact b) => b.High == 0 || a.Low == ulong.MaxValue
        ? (a with { Low = 1, High = 0 }, b)
        : (a with { High = Math.Min(a.High, b.High - 1) }, b with { Low = Math.Max(b.Low, a.Low + 1) });
}
