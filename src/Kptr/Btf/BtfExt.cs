using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>A subprogram starts at this byte of its section and is this BTF function.</summary>
public readonly record struct BtfExtFunc(int InsnOffsetBytes, int TypeId);

/// <summary>From this byte of its section on, the code comes from this line.</summary>
/// <param name="Btf">Holds the strings.</param>
/// <param name="InsnOffsetBytes">First instruction, in bytes.</param>
/// <param name="FileOffset">The file's name in the string table.</param>
/// <param name="TextOffset">The line's text in the string table.</param>
/// <param name="Line">1-based line.</param>
/// <param name="Column">1-based column.</param>
public readonly record struct BtfExtLine(
    BtfSpec Btf, int InsnOffsetBytes, int FileOffset, int TextOffset, int Line, int Column)
{
    /// <summary>Source file as the compiler wrote it.</summary>
    public string File => Btf?.StringAt(FileOffset) ?? "";

    /// <summary>File and line.</summary>
    public override string ToString() => Btf is null ? $"line {Line}" : $"{File}:{Line}";

    /// <summary>The source line, or empty.</summary>
    public string Text => Btf?.StringAt(TextOffset) ?? "";
}

/// <summary>One CO-RE relocation.</summary>
/// <param name="Btf">Holds the types and strings.</param>
/// <param name="InsnOffsetBytes">The instruction to patch, in bytes.</param>
/// <param name="TypeId">Root type.</param>
/// <param name="AccessOffset">The access string in the string table.</param>
/// <param name="Kind"><c>enum bpf_core_relo_kind</c>.</param>
public readonly record struct BtfExtRelo(BtfSpec Btf, int InsnOffsetBytes, int TypeId, int AccessOffset, int Kind)
{
    /// <summary>Instruction, type and access.</summary>
    public override string ToString() =>
        $"relocation of kind {Kind} at +0x{InsnOffsetBytes:x}: type {TypeId}{(Btf is null ? "" : $", {Access}")}";

    /// <summary>The access string, <c>0:1:2</c>.</summary>
    public string Access => Btf?.StringAt(AccessOffset) ?? "";
}

/// <summary>The content of a <c>.BTF.ext</c> section: functions, lines and CO-RE relocations by ELF section.</summary>
/// <remarks>
/// <code>
/// magic eb9f:16  version:8  flags:8  hdr_len:32
/// func_off:32 func_len:32  line_off:32 line_len:32 [ core_off:32 core_len:32 ]
/// each part: record size:32, then per section: name_off:32 count:32 records
/// </code>
/// Type ids and string offsets are checked against the BTF; instruction offsets are the ELF reader's to check.
/// </remarks>
public sealed class BtfExt
{
    private BtfExt(
        ImmutableDictionary<string, ImmutableArray<BtfExtFunc>> funcs,
        ImmutableDictionary<string, ImmutableArray<BtfExtLine>> lines,
        ImmutableDictionary<string, ImmutableArray<BtfExtRelo>> relos)
    {
        Funcs = funcs;
        Lines = lines;
        Relos = relos;
    }

    /// <summary><c>func_info</c> by section name, in file order.</summary>
    public ImmutableDictionary<string, ImmutableArray<BtfExtFunc>> Funcs { get; }

    /// <summary><c>line_info</c> by section name, in file order.</summary>
    public ImmutableDictionary<string, ImmutableArray<BtfExtLine>> Lines { get; }

    /// <summary>CO-RE relocations by section name, in file order.</summary>
    public ImmutableDictionary<string, ImmutableArray<BtfExtRelo>> Relos { get; }

    /// <summary>Reads a <c>.BTF.ext</c> section of either byte order.</summary>
    /// <exception cref="DiagnosticException">The bytes are malformed.</exception>
    public static BtfExt Read(ReadOnlyMemory<byte> data, BtfSpec btf)
    {
        var sink = new DiagSink();
        return TryRead(data, btf, sink) ?? throw new DiagnosticException(sink.All);
    }

    /// <summary>How many sections it speaks of.</summary>
    public override string ToString() =>
        $".BTF.ext (functions of {Funcs.Count} sections, lines of {Lines.Count}, relocations of {Relos.Count})";

    /// <summary>
    /// Reads <c>.BTF.ext</c>; reports what is wrong to <paramref name="sink"/> and returns null then.
    /// </summary>
    public static BtfExt? TryRead(ReadOnlyMemory<byte> data, BtfSpec btf, DiagSink sink)
    {
        ArgumentNullException.ThrowIfNull(btf);
        ArgumentNullException.ThrowIfNull(sink);
        var span = data.Span;
        if (BtfHeader.TryRead(span, out var bigEndian) is not { } header || header.HeaderLen < BtfHeader.Bytes)
        {
            sink.Report(new(DiagCode.BtfBadHeader, "no .BTF.ext header") { File = btf.Name, Section =
                ".BTF.ext", OffsetBytes = 0 });
            return null;
        }

        var part = new BtfExtPart(span, (int)Math.Min(header.HeaderLen, int.MaxValue), bigEndian, btf, sink);
        var funcs = part.Read(header.TypeOff, header.TypeLen, 8, BtfExtPart.Func);
        var lines = funcs is null ? null : part.Read(header.StrOff, header.StrLen, 16, BtfExtPart.Line);
        var (coreOff, coreLen) = header.HeaderLen >= BtfHeader.Bytes + 8 && span.Length >= BtfHeader.Bytes + 8
            ? (BtfHeader.ReadU32(span[24..], bigEndian), BtfHeader.ReadU32(span[28..], bigEndian))
            : (0, 0);
        var relos = lines is null ? null : part.Read(coreOff, coreLen, 16, BtfExtPart.Relo);
        return relos is null ? null : new BtfExt(funcs!, lines!, relos);
    }
}
