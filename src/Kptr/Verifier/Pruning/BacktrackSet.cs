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
    private const int EntryBits = 10;
    private const int CountBits = 4;

    public static int Entry(int frame, int regOrSlot, bool isReg) => frame | (regOrSlot << 3) | (isReg ? 1 << 9 : 0);

    public static ulong Pack(ReadOnlySpan<int> entries)
    {
        ulong packed = 0;
        foreach (var entry in entries)
        {
            packed = (packed << EntryBits) | (uint)entry;
        }

        return (packed << CountBits) | (uint)entries.Length;
    }

    public static int Unpack(ulong packed, Span<int> entries)
    {
        var count = (int)(packed & ((1 << CountBits) - 1));
        packed >>= CountBits;
        for (var i = 0; i < count; i++)
        {
            entries[i] = (int)(packed & ((1 << EntryBits) - 1));
            packed >>= EntryBits;
        }

        return count;
    }

    public static int FrameOf(int entry) => entry & 7;

    public static int IndexOf(int entry) => (entry >> 3) & 0x3f;

    public static bool IsReg(int entry) => (entry & (1 << 9)) != 0;
}
