using Kptr.Isa;

namespace Kptr.Verifier.Liveness;

/// <summary>What a call does with memory that one of its arguments points to.</summary>
internal enum StackUseKind
{
    /// <summary>Nothing itself.</summary>
    None,
    Reads,
    Writes,

    /// <summary>It reads as much as there is, from the place on towards the frame pointer.</summary>
    ReadsUnknown,
}

/// <summary>What a call does with memory that one of its arguments points to, and with how much of it.</summary>
/// <param name="Kind">What.</param>
/// <param name="Bytes">How many bytes from the place on.</param>
internal readonly record struct StackUse(StackUseKind Kind, long Bytes = 0)
{
    public static StackUse None => default;

    public static StackUse Unknown => new(StackUseKind.ReadsUnknown);

    /// <summary>A use of so many bytes.</summary>
    public static StackUse Of(long bytes, bool writes) =>
        bytes == 0 ? None : new(writes ? StackUseKind.Writes : StackUseKind.Reads, bytes);
}

/// <summary>What is asked of helpers and kfuncs before any path is explored.</summary>
internal interface ICallUses
{
    /// <summary>How many registers from R1 on a call takes.</summary>
    int ArgCount(in BpfInsn call);

    /// <summary>What a call does with what its argument (0 for R1) points to.</summary>
    /// <param name="known">The constants of the program.</param>
    /// <param name="at">The call.</param>
    /// <param name="arg">The argument.</param>
    StackUse UseOf(ConstantRegs known, int at, int arg);
}

/// <summary>What is asked of a program's maps before any path is explored.</summary>
internal interface IMapFacts
{
    /// <summary>Which of the program's maps an instruction names, and the offset into its value.</summary>
    (int Map, int Off) MapAt(int insnIdx);

    /// <summary>Loads from a map's value, where nobody can change it any more.</summary>
    bool TryLoad(int map, int off, in BpfInsn load, out ulong value);
}
