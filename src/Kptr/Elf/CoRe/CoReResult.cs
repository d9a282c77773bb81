namespace Kptr.Elf.CoRe;

/// <summary>What a relocation replaces by what.</summary>
/// <param name="OldValue">The value the compiler wrote, from the program's types.</param>
/// <param name="NewValue">The value the kernel's types give.</param>
internal readonly record struct CoReResult(ulong OldValue, ulong NewValue)
{
    /// <summary>The field or value does not exist: the instruction becomes an invalid one.</summary>
    public bool Poison { get; init; }

    /// <summary>
    /// Whether the instruction must hold <see cref="OldValue"/> now. Bit fields may be read in several ways.
    /// </summary>
    public bool Validate { get; init; }

    /// <summary>Size of the field in the program's types in bytes; 0 where the access size cannot change.</summary>
    public int OldSizeBytes { get; init; }

    /// <summary>Size of the field in the kernel's types, in bytes.</summary>
    public int NewSizeBytes { get; init; }

    /// <summary>The sizes differ and the value would change with the size of the access.</summary>
    public bool IsResizeUnsafe { get; init; }
}
