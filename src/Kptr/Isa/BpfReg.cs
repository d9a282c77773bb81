namespace Kptr.Isa;

/// <summary>The eleven registers a program can name.</summary>
public enum BpfReg : byte
{
    /// <summary>Return value; clobbered by calls.</summary>
    R0,

    /// <summary>First argument; clobbered by calls. The context at entry.</summary>
    R1,

    /// <summary>Second argument; clobbered by calls.</summary>
    R2,

    /// <summary>Third argument; clobbered by calls.</summary>
    R3,

    /// <summary>Fourth argument; clobbered by calls.</summary>
    R4,

    /// <summary>Fifth argument; clobbered by calls.</summary>
    R5,

    /// <summary>Kept across calls.</summary>
    R6,

    /// <summary>Kept across calls.</summary>
    R7,

    /// <summary>Kept across calls.</summary>
    R8,

    /// <summary>Kept across calls.</summary>
    R9,

    /// <summary>Frame pointer: one past the frame's highest stack byte; read only.</summary>
    R10,
}
