namespace Kptr.Verifier.Precision;

/// <summary>Up to six registers or slots that share an id, packed in 64 bits as the history keeps them.</summary>
internal static class LinkedRegs
{
    public const int CountMax = 6;
    private const int FramesMax = Limits.MaxCallFrames;
    private const int FirstReg = 64;
    private const ulong Radix = ((FirstReg + 11) * FramesMax) + 1;

    public static int Entry(int frame, int regOrSlot, bool isReg) =>
        ((regOrSlot + (isReg ? FirstReg : 0)) * FramesMax) + frame;

    /// <summary>Digits of a number, each an entry and one; six of them stay below 2^62.</summary>
    public static ulong Pack(ReadOnlySpan<int> entries)
    {
        ulong packed = 0;
        foreach (var entry in entries)
        {
            packed = (packed * Radix) + (uint)entry + 1;
        }

        return packed;
    }

    public static int Unpack(ulong packed, Span<int> entries)
    {
        var count = 0;
        for (; packed != 0; packed /= Radix)
        {
            entries[count++] = (int)(packed % Radix) - 1;
        }

        return count;
    }

    public static int FrameOf(int entry) => entry % FramesMax;

    public static int IndexOf(int entry) => entry / FramesMax % FirstReg;

    public static bool IsReg(int entry) => entry / FramesMax >= FirstReg;
}
