using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Kptr.Verifier.State;

/// <summary>What one byte of stack holds (<c>enum bpf_stack_slot_type</c>).</summary>
internal enum SlotKind : byte
{
    Invalid,
    Spill,
    Misc,
    Zero,
    Dynptr,
    Iter,
    IrqFlag,

    /// <summary>Nothing that any path reads: where one does all the same, the program is refused.</summary>
    Poison,
}

/// <summary>Eight bytes of stack: a kind for each byte, and the register that was spilled there.</summary>
/// <remarks>
/// Slot 0 is <c>[r10-8, r10-1]</c>; byte 7 of a slot is its lowest address, as in the kernel's <c>slot_type[7]</c>.
/// A whole register is there when byte 7 is <see cref="SlotKind.Spill"/>.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal struct StackSlot
{
    private const ulong Ones = 0x0101010101010101;

    public RegState Spilled;

    /// <summary>The eight kinds, byte 0 in the low bits.</summary>
    public ulong Kinds;

    /// <summary>The slot of the byte at a negative offset from the frame pointer.</summary>
    public static int IndexOf(int off) => (-off - 1) / 8;

    public readonly bool IsSpill => (SlotKind)(Kinds >> 56) == SlotKind.Spill;

    /// <summary>A scalar is spilled here, perhaps narrower than 8 bytes (<c>is_spilled_scalar_reg</c>).</summary>
    public readonly bool IsScalarSpill => IsSpill && Spilled.Type == RegType.Scalar;

    /// <summary>A scalar of all 8 bytes (<c>is_spilled_scalar_reg64</c>).</summary>
    public readonly bool IsScalarSpill64 => this[0] == SlotKind.Spill && Spilled.Type == RegType.Scalar;

    /// <summary>A spill, dynptr, iterator or saved flag (<c>is_stack_slot_special</c>).</summary>
    public readonly bool IsSpecial => 
        this[7] is SlotKind.Spill or SlotKind.Dynptr or SlotKind.Iter or SlotKind.IrqFlag;

    /// <summary>Nothing is here, or nothing that may be read: all eight kinds have three equal bits.</summary>
    public readonly bool IsEmpty => ((Kinds ^ (Kinds >> 1)) & (3 * Ones)) == 0;

    /// <summary>The kind of byte <paramref name="i"/>, 0 to 7.</summary>
    public SlotKind this[int i]
    {
        readonly get => (SlotKind)(byte)(Kinds >> (8 * i));
        set => Unsafe.Add(ref Unsafe.As<ulong, byte>(ref Kinds), i) = (byte)value;
    }

    public readonly bool AllBytes(SlotKind kind) => Kinds == Ones * (ulong)kind;

    public void SetAll(SlotKind kind) => Kinds = Ones * (ulong)kind;

    /// <summary>Bytes that hold anything turn misc (<c>scrub_spilled_slot</c> on each).</summary>
    public void ScrubSpill()
    {
        for (var i = 0; i < 8; i++)
        {
            if (this[i] is not (SlotKind.Invalid or SlotKind.Poison))
            {
                this[i] = SlotKind.Misc;
            }
        }
    }
}
