namespace Kptr.Diagnostics;

/// <summary>One fault: what it is, where it is, and one sentence that the user can act on.</summary>
/// <param name="Code">What kind of fault.</param>
/// <param name="Message">One line; the kernel's own words where the kernel has some for this fault.</param>
public sealed record Diagnostic(DiagCode Code, string Message)
{
    /// <summary>The file the fault is in, or <see langword="null"/> where there is none.</summary>
    public string? File { get; init; }

    /// <summary>The ELF section the fault is in, or <see langword="null"/>.</summary>
    public string? Section { get; init; }

    /// <summary>Byte offset in <see cref="Section"/> where it is given, else in <see cref="File"/>.</summary>
    public long? OffsetBytes { get; init; }

    /// <summary>Index of the instruction (8-byte slots, as the kernel counts), or <see langword="null"/>.</summary>
    public int? InsnIdx { get; init; }

    /// <summary>The register the fault is about, 0 to 10, or <see langword="null"/>.</summary>
    public int? Reg { get; init; }

    /// <summary>The verifier's id of the reference the fault is about, or <see langword="null"/>.</summary>
    public int? RefObjId { get; init; }

    /// <summary>Index of the instruction that acquired the reference, or <see langword="null"/>.</summary>
    public int? AcquiredAtInsn { get; init; }

    /// <summary>
    /// C source position of the instruction as <c>file:line</c>, or <see langword="null"/> without line info.
    /// </summary>
    public string? Source { get; init; }

    /// <summary>What would mend it, in one sentence, or <see langword="null"/>.</summary>
    public string? Suggestion { get; init; }

    /// <summary>The place and the message in one line: <c>file: section+0x10: message (Code)</c>.</summary>
    public override string ToString()
    {
        var place = string.Join(": ", new[]
        {
            File,
            Section is null ? (OffsetBytes is { } o ? $"offset 0x{o:x}" : null)
                            : OffsetBytes is { } s ? $"{Section}+0x{s:x}" : Section,
            InsnIdx is { } i ? $"insn {i}" : null,
        }.Where(p => p is not null));
        return place.Length == 0 ? $"{Message} ({Code})" : $"{place}: {Message} ({Code})";
    }
}
