using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Verifier.Precision;

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

    /// <summary>What mattered in a function is asked of the frame that called it.</summary>
    /// <param name="passArgs">Whether its arguments are those of the call.</param>
    public void LeaveFrame(bool passArgs)
    {
        Invariant.That(Frame > 0, "backtracking left the outermost frame");
        var args = Regs & ArgsMask;
        _regs[Frame] &= ~ArgsMask;
        Frame--;
        _regs[Frame] |= passArgs ? args : 0;
    }

    /// <summary>The instruction before is one of a function that returned.</summary>
    public void EnterFrame()
    {
        Invariant.That(Frame < Limits.MaxCallFrames - 1, "backtracking went too deep");
        Frame++;
    }

    /// <summary>Where one of the places that learnt together matters, all do (<c>bt_sync_linked_regs</c>).</summary>
    public void SyncLinked(ulong linked)
    {
        // Almost always none are: the look at them stands apart, so that this is put in place.
        if (linked != 0)
        {
            SyncAll(linked);
        }
    }

    private void SyncAll(ulong linked)
    {
        Span<int> entries = stackalloc int[LinkedRegs.CountMax];
        entries = entries[..LinkedRegs.Unpack(linked, entries)];
        var some = false;
        foreach (var entry in entries)
        {
            int frame = LinkedRegs.FrameOf(entry), at = LinkedRegs.IndexOf(entry);
            some |= LinkedRegs.IsReg(entry) ? HasReg(frame, at) : HasSlot(frame, at);
        }

        if (some)
        {
            SetAll(entries);
        }
    }

    private void SetAll(ReadOnlySpan<int> entries)
    {
        foreach (var entry in entries)
        {
            if (LinkedRegs.IsReg(entry))
            {
                SetReg(LinkedRegs.FrameOf(entry), LinkedRegs.IndexOf(entry));
            }
            else
            {
                SetSlot(LinkedRegs.FrameOf(entry), LinkedRegs.IndexOf(entry));
            }
        }
    }
}
