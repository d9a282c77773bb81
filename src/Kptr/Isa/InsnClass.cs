namespace Kptr.Isa;

/// <summary>The instruction class: the low three bits of an opcode.</summary>
public enum InsnClass : byte
{
    /// <summary>Loads of immediates and legacy packet loads (<c>BPF_LD</c>).</summary>
    Ld = 0,

    /// <summary>Loads from memory (<c>BPF_LDX</c>).</summary>
    Ldx = 1,

    /// <summary>Stores of immediates (<c>BPF_ST</c>).</summary>
    St = 2,

    /// <summary>Stores of registers, and atomics (<c>BPF_STX</c>).</summary>
    Stx = 3,

    /// <summary>32-bit arithmetic (<c>BPF_ALU</c>).</summary>
    Alu = 4,

    /// <summary>64-bit jumps, calls and exit (<c>BPF_JMP</c>).</summary>
    Jmp = 5,

    /// <summary>32-bit jumps (<c>BPF_JMP32</c>).</summary>
    Jmp32 = 6,

    /// <summary>64-bit arithmetic (<c>BPF_ALU64</c>).</summary>
    Alu64 = 7,
}
