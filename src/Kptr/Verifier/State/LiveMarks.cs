namespace Kptr.Verifier;

/// <summary>How a register or slot of a state was used since the state was taken.</summary>
/// <remarks>
/// Read marks travel up to parent states until a write screens them off; only marked places matter when states are
/// compared. Kernel: <c>enum bpf_reg_liveness</c> (6.12).
/// </remarks>
[Flags]
internal enum LiveMarks : byte
{
    None = 0,

    /// <summary>Read before it was written; the kernel's 32-bit and 64-bit marks in one.</summary>
    Read = 1,
    Written = 4,

    /// <summary>No mark can change any more.</summary>
    Done = 8,
}
