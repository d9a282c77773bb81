namespace Kptr.Verifier.State;

/// <summary>How registers and slots of a frame were used since its state was taken: a bit each.</summary>
/// <remarks>
/// Read marks travel up to parent states until a write screens them off; only marked places matter when states are
/// compared. The kernel keeps them in each register (<c>enum bpf_reg_liveness</c>, 6.12; its 32-bit and 64-bit reads
/// are one here); beside the frame, all are looked at without touching the registers.
/// </remarks>
internal struct LiveMarks
{
    /// <summary>Registers read before they were written.</summary>
    public uint ReadRegs;
    public uint WrittenRegs;

    /// <summary>Slots read before they were written.</summary>
    public ulong ReadSlots;
    public ulong WrittenSlots;

    /// <summary>No mark can change any more.</summary>
    public bool IsDone;

    public readonly bool HasReadReg(int regno) => (ReadRegs & (1u << regno)) != 0;

    public readonly bool HasReadSlot(int slot) => (ReadSlots & (1ul << slot)) != 0;

    public void WriteReg(int regno) => WrittenRegs |= 1u << regno;

    public void WriteSlot(int slot) => WrittenSlots |= 1ul << slot;
}
