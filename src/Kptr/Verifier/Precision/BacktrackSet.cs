using System.Runtime.CompilerServices;

namespace Kptr.Verifier;

/// <summary>
/// Registers and stack slots of each frame whose exact value mattered (<c>struct backtrack_state</c>).
/// </summary>
internal struct BacktrackSet
{
    public const uint ArgsMask = 0x3e;

    [InlineArray(Limits.MaxCallFrames)]
    private struct RegMasks
    {
        private uint _first;
    }

    [InlineArray(Limits.MaxCallFrames)]
    private struct SlotMasks
    {
        private ulong _first;
    }

    private RegMasks _regs;
    private SlotMasks _slots;

    /// <summary>The frame backtracking is in.</summary>
    public int Frame;

    public readonly bool IsEmpty
    {
        get
        {
            ulong all = 0;
            for (var i = 0; i <= Frame; i++)
            {
                all |= _regs[i] | _slots[i];
            }

            return all == 0;
        }
    }

    public readonly uint Regs => _regs[Frame];

    public readonly ulong Slots => _slots[Frame];

    public readonly uint RegsOf(int frame) => _regs[frame];

    public readonly ulong SlotsOf(int frame) => _slots[frame];

    /// <summary>Names of the registers of a frame, <c>r0</c>, lowest first.</summary>
    public readonly IEnumerable<string> NamesOfRegs(int frame)
    {
        var regs = _regs[frame];
        return Enumerable.Range(0, 11).Where(r => (regs & (1u << r)) != 0).Select(r => $"r{r}");
    }

    /// <summary>Offsets of the slots of a frame, <c>-8</c>, nearest to the frame pointer first.</summary>
    public readonly IEnumerable<int> OffsetsOfSlots(int frame)
    {
        var slots = _slots[frame];
        return Enumerable.Range(0, 64).Where(s => (slots & (1ul << s)) != 0).Select(s => -8 * (s + 1));
    }

    public readonly bool HasReg(int reg) => (_regs[Frame] & (1u << reg)) != 0;

    public readonly bool HasReg(int frame, int reg) => (_regs[frame] & (1u << reg)) != 0;

    public readonly bool HasSlot(int frame, int slot) => (_slots[frame] & (1ul << slot)) != 0;

    public void SetReg(int reg) => _regs[Frame] |= 1u << reg;

    public void SetReg(int frame, int reg) => _regs[frame] |= 1u << reg;

    public void ClearReg(int reg) => _regs[Frame] &= ~(1u << reg);

    public void ClearReg(int frame, int reg) => _regs[frame] &= ~(1u << reg);

    public void SetSlot(int frame, int slot) => _slots[frame] |= 1ul << slot;

    public void ClearSlot(int frame, int slot) => _slots[frame] &= ~(1ul << slot);
}

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
