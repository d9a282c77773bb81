namespace Kptr.Verifier.Liveness;

/// <summary>Halves of stack slots of one frame, a bit each: bit 0 is the four bytes below the frame pointer.</summary>
/// <remarks>Kernel: <c>spis_t</c> (7.2).</remarks>
/// <param name="Low">Halves 0 to 63.</param>
/// <param name="High">Halves 64 to 127.</param>
internal readonly record struct SlotSet(ulong Low, ulong High)
{
    /// <summary>How many halves a frame has.</summary>
    public const int Count = Limits.MaxBpfStack / HalfBytes;

    /// <summary>Bytes of a half.</summary>
    public const int HalfBytes = 4;

    /// <summary>The whole stack of a frame.</summary>
    public static SlotSet All => new(ulong.MaxValue, ulong.MaxValue);

    public bool IsEmpty => (Low | High) == 0;

    public static SlotSet operator |(SlotSet a, SlotSet b) => new(a.Low | b.Low, a.High | b.High);

    public static SlotSet operator &(SlotSet a, SlotSet b) => new(a.Low & b.Low, a.High & b.High);

    /// <summary>What is in this set and not in <paramref name="other"/>.</summary>
    public SlotSet Without(SlotSet other) => new(Low & ~other.Low, High & ~other.High);

    /// <summary>The halves from one to another, both included; what lies below the stack is left out.</summary>
    public static SlotSet Range(long first, long last)
    {
        var bits = (UInt128)0;
        if (first <= last && first < Count)
        {
            var count = (int)Math.Min(last, Count - 1) - (int)first + 1;
            bits = (count == Count ? UInt128.MaxValue : ((UInt128)1 << count) - 1) << (int)first;
        }

        return new((ulong)bits, (ulong)(bits >> 64));
    }

    /// <summary>A slot's two bits: 1 for the half near to the frame pointer, 2 for the other.</summary>
    public int HalvesOf(int slot) => (int)((slot < 32 ? Low >> (2 * slot) : High >> (2 * (slot - 32))) & 3);
}
