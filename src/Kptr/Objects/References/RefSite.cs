namespace Kptr.Objects;

/// <summary>
/// A place where a reference was taken, moved or given back: a line of C#, or an instruction of a program.
/// </summary>
/// <param name="File">C# file or C source file; the method where only that is known; empty where unknown.</param>
/// <param name="Line">1-based line; 0 where unknown.</param>
/// <param name="Prog">Name of the BPF program, or of the destructor kfunc that the kernel called; null for C#.</param>
/// <param name="Insn">Index of the instruction; -1 for C#, and where no program called the kfunc.</param>
public readonly record struct RefSite(string File, int Line, string? Prog = null, int Insn = -1)
{
    /// <summary>C# file or C source file, of which at most 4095 characters are kept.</summary>
    public string File { get; init => field = NameLimits.Cut(value, NameLimits.PathMax)!; } =
        NameLimits.Cut(File, NameLimits.PathMax)!;

    /// <summary>Name of the BPF program, of which at most 511 characters are kept; null for C#.</summary>
    public string? Prog { get; init => field = NameLimits.Cut(value, NameLimits.SymbolMax); } =
        NameLimits.Cut(Prog, NameLimits.SymbolMax);

    /// <summary>A place nobody wrote down.</summary>
    public static RefSite Unknown { get; } = new("", 0);

    /// <summary>Whether the place was written down.</summary>
    public bool IsKnown => Prog is not null || !string.IsNullOrEmpty(File);

    /// <summary><c>prog insn 14 (file.c:31)</c>, <c>my_put</c>, <c>File.cs:12</c>, or <c>(unknown)</c>.</summary>
    public override string ToString()
    {
        var line = string.IsNullOrEmpty(File) ? ""
            : Line > 0 ? $"{Path.GetFileName(File)}:{Line}"
            : Path.GetFileName(File);
        return Prog is null ? (line.Length == 0 ? "(unknown)" : line)
            : $"{Prog}{(Insn < 0 ? "" : $" insn {Insn}")}{(line.Length == 0 ? "" : $" ({line})")}";
    }
}
