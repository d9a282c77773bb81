using System.Numerics;

namespace Kptr.Verifier.Scalars;

/// <summary>A tristate number: each bit is known to be 0, known to be 1, or unknown.</summary>
/// <remarks>
/// <para>Set bits of <see cref="Mask"/> are unknown; <see cref="Value"/> holds the others and
/// is 0 under the mask.</para>
/// <para>Every operation is sound: the result contains op(x, y) for all x, y the operands contain. Kernel:
/// <c>struct tnum</c>; the multiplication is that of arXiv:2105.05398.</para>
/// </remarks>
internal readonly record struct Tnum(ulong Value, ulong Mask)
{
    /// <summary>Nothing is known.</summary>
    public static Tnum Unknown => new(0, ulong.MaxValue);

    /// <summary>Every bit is known.</summary>
    public bool IsConst => Mask == 0;

    /// <summary>Every bit of the low half is known.</summary>
    public bool IsSubregConst => (uint)Mask == 0;

    /// <summary>Largest value contained.</summary>
    public ulong Max => Value | Mask;

    /// <summary>The low 32 bits, zero-extended.</summary>
    public Tnum Subreg => Cast(4);

    /// <summary>The value with its low half known to be 0.</summary>
    public Tnum ClearSubreg => new(Value & ~(ulong)uint.MaxValue, Mask & ~(ulong)uint.MaxValue);

    /// <summary>Exactly this value.</summary>
    public static Tnum Const(ulong value) => new(value, 0);

    /// <summary>The smallest tnum that contains all of <paramref name="min"/>..<paramref name="max"/>.</summary>
    public static Tnum Range(ulong min, ulong max)
    {
        var differ = 64 - BitOperations.LeadingZeroCount(min ^ max);
        if (differ == 64)
        {
            return Unknown;
        }

        var low = (1UL << differ) - 1;
        return new(min & ~low, low);
    }

    /// <summary>Shift left; the shift count is taken modulo 64, as are all below.</summary>
    public static Tnum operator <<(Tnum a, int shift) => new(a.Value << shift, a.Mask << shift);

    /// <summary>Logical shift right.</summary>
    public static Tnum operator >>>(Tnum a, int shift) => new(a.Value >> shift, a.Mask >> shift);

    /// <summary>Sum, carries included.</summary>
    public static Tnum operator +(Tnum a, Tnum b)
    {
        var low = a.Value + b.Value;
        var high = low + a.Mask + b.Mask;
        var unknown = (low ^ high) | a.Mask | b.Mask;
        return new(low & ~unknown, unknown);
    }

    /// <summary>Difference, borrows included.</summary>
    public static Tnum operator -(Tnum a, Tnum b)
    {
        var diff = a.Value - b.Value;
        var unknown = ((diff + a.Mask) ^ (diff - b.Mask)) | a.Mask | b.Mask;
        return new(diff & ~unknown, unknown);
    }

    /// <summary>Bitwise and.</summary>
    public static Tnum operator &(Tnum a, Tnum b)
    {
        var ones = a.Value & b.Value;
        return new(ones, a.Max & b.Max & ~ones);
    }

    /// <summary>Bitwise or.</summary>
    public static Tnum operator |(Tnum a, Tnum b)
    {
        var ones = a.Value | b.Value;
        return new(ones, (a.Mask | b.Mask) & ~ones);
    }

    /// <summary>Bitwise exclusive or.</summary>
    public static Tnum operator ^(Tnum a, Tnum b)
    {
        var unknown = a.Mask | b.Mask;
        return new((a.Value ^ b.Value) & ~unknown, unknown);
    }

    /// <summary>
    /// Product: the certain part exactly, plus one uncertain partial product for each bit of <paramref name="a"/>.
    /// </summary>
    public static Tnum operator *(Tnum a, Tnum b)
    {
        var certain = a.Value * b.Value;
        var uncertain = Const(0);
        for (; a.Max != 0; a >>>= 1, b <<= 1)
        {
            if ((a.Value & 1) != 0)
            {
                uncertain += new Tnum(0, b.Mask);
            }
            else if ((a.Mask & 1) != 0)
            {
                uncertain += new Tnum(0, b.Max);
            }
        }

        return Const(certain) + uncertain;
    }

    /// <summary>
    /// Product as Linux 7.2 knows it: of an unknown bit both cases are worked out, and what they have in common is
    /// kept. Kernel: <c>tnum_mul</c>.
    /// </summary>
    public static Tnum MultiplyByCases(Tnum a, Tnum b)
    {
        var sum = Const(0);
        for (; a.Max != 0; a >>>= 1, b <<= 1)
        {
            if ((a.Value & 1) != 0)
            {
                sum += b;
            }
            else if ((a.Mask & 1) != 0)
            {
                sum = sum.Union(sum + b);
            }
        }

        return sum;
    }

    /// <summary>The known bits that both have in common.</summary>
    public Tnum Union(Tnum other)
    {
        var unknown = Mask | other.Mask | (Value ^ other.Value);
        return new(Value & ~unknown, unknown);
    }

    /// <summary>
    /// The smallest value contained that is above <paramref name="number"/>; the largest where none is. Kernel:
    /// <c>tnum_step</c> (7.2).
    /// </summary>
    public ulong NextAbove(ulong number)
    {
        if (number >= Max)
        {
            return Max;
        }

        if (number < Value)
        {
            return Value;
        }

        // Counting up in the unknown bits alone: ones at all other places hand the carry on, and so do the places below
        // the highest one that is not the number's to have.
        var unknown = number - Value;
        var stray = unknown & ~Mask;
        var below = stray == 0 ? 0 : ulong.MaxValue >> BitOperations.LeadingZeroCount(stray);
        return Value | (((unknown | below | ~Mask) + 1) & Mask);
    }

    /// <summary>Arithmetic shift right of a 64-bit number.</summary>
    public Tnum ShiftArith64(int shift) => new((ulong)((long)Value >> shift), (ulong)((long)Mask >> shift));

    /// <summary>Arithmetic shift right of the low 32 bits, zero-extended.</summary>
    public Tnum ShiftArith32(int shift) => new((uint)((int)Value >> shift), (uint)((int)Mask >> shift));

    /// <summary>
    /// What both contain, given that they agree somewhere; where known bits disagree the bit becomes 1.
    /// </summary>
    public Tnum Intersect(Tnum other)
    {
        var unknown = Mask & other.Mask;
        return new((Value | other.Value) & ~unknown, unknown);
    }

    /// <summary>Whether no bit is known to be 0 in one and 1 in the other.</summary>
    public bool Overlaps(Tnum other) => ((Value ^ other.Value) & ~(Mask | other.Mask)) == 0;

    /// <summary>Whether every value of <paramref name="other"/> is one of this.</summary>
    public bool Contains(Tnum other) => (other.Mask & ~Mask) == 0 && ((other.Value ^ Value) & ~Mask) == 0;

    /// <summary>Whether the number may be this value.</summary>
    public bool Contains(ulong value) => ((value ^ Value) & ~Mask) == 0;

    /// <summary>The low <paramref name="sizeBytes"/> (1, 2, 4 or 8) bytes, zero-extended.</summary>
    public Tnum Cast(int sizeBytes)
    {
        var keep = sizeBytes >= 8 ? ulong.MaxValue : (1UL << (sizeBytes * 8)) - 1;
        return new(Value & keep, Mask & keep);
    }

    /// <summary>The value with its low half replaced by the low half of <paramref name="subreg"/>.</summary>
    public Tnum WithSubreg(Tnum subreg) => ClearSubreg | subreg.Subreg;

    /// <summary>
    /// Whether all values are multiples of <paramref name="size"/>, a power of two; 0 is no restriction.
    /// </summary>
    public bool IsAligned(ulong size) => size == 0 || (Max & (size - 1)) == 0;

    /// <summary>Value and mask, as the kernel's logs have them.</summary>
    public override string ToString() => $"(0x{Value:x}; 0x{Mask:x})";
}
