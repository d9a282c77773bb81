using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Cli.Inspect;

/// <summary>An instruction.</summary>
/// <param name="InsnIdx">Its first slot.</param>
/// <param name="Text">It as text.</param>
/// <param name="Notes">Names of what it refers to, or empty.</param>
/// <param name="Line">The C line that it comes from, or null.</param>
/// <param name="Func">The function that begins with it, or null.</param>
internal sealed record ListingRow(int InsnIdx, string Text, string Notes, LineInfo? Line, string? Func);

/// <summary>
/// A program's instructions between the C lines they come from, with the names of what they refer to.
/// </summary>
internal sealed class Listing
{
    private readonly ProgSpec _prog;
    private readonly KernelTypes? _types;
    private readonly Dictionary<int, LineInfo> _lines;
    private readonly Dictionary<int, string> _funcs;
    private readonly ILookup<int, string> _notes;

    /// <param name="prog">The program, linked or not.</param>
    /// <param name="types">Of a linked one: the kernel's types, which name its kfuncs.</param>
    public Listing(ProgSpec prog, KernelTypes? types = null)
    {
        _prog = prog;
        _types = types;
        _lines = prog.LineInfos.GroupBy(l => l.InsnIdx).ToDictionary(g => g.Key, g => g.Last());
        _funcs = prog.FuncInfos.DistinctBy(f => f.InsnIdx).ToDictionary(f => f.InsnIdx, f => prog.Btf![f.TypeId].Name);
        _notes = prog.Relocs.Select(r => (r.InsnIdx, Note: NoteOf(r)))
            .Concat(prog.CoReRelocs.Select(c => (c.InsnIdx, Note: NoteOf(c))))
            .ToLookup(n => n.InsnIdx, n => n.Note);
    }

    public IEnumerable<string> Lines()
    {
        yield return $"{_prog.Name} [{_prog.SectionName}]:";
        var last = "";
        foreach (var row in Rows())
        {
            if (row is { InsnIdx: > 0, Func: { } func })
            {
                yield return $"{func}:";
            }

            if (_lines.TryGetValue(row.InsnIdx, out var source) && SourceText(source) is var text && text != last)
            {
                last = text;
                yield return $"; {text}";
            }

            yield return row.Notes.Length > 0
                ? $"{row.InsnIdx,6}: {row.Text,-36} ; {row.Notes}"
                : $"{row.InsnIdx,6}: {row.Text}";
        }
    }

    /// <summary>An instruction each.</summary>
    public IEnumerable<ListingRow> Rows()
    {
        LineInfo? source = null;
        foreach (var line in Disassembler.Lines(_prog.Insns, DisasmCpu.V4))
        {
            source = _lines.TryGetValue(line.InsnIdx, out var begins) ? begins : source;
            yield return new(
                line.InsnIdx, line.Text, string.Join(", ", _notes[line.InsnIdx].Concat(CallNotes(line.InsnIdx))),
                source, _funcs.GetValueOrDefault(line.InsnIdx));
        }
    }

    private static string SourceText(LineInfo line) =>
        $"{Path.GetFileName(line.File)}:{line.Line}{(line.Text.Length > 0 ? ": " + line.Text.Trim() : "")}";

    /// <summary>Names of helpers and subprograms; kfuncs have their relocation's note.</summary>
    private IEnumerable<string> CallNotes(int at)
    {
        var insn = _prog.Insns[at];
        var isCall = insn.Opcode == (byte)InsnClass.Jmp + BpfOp.Call;
        if (isCall && insn.Src == 0)
        {
            yield return KernelNames.OfHelper(insn.Imm);
        }
        else if (((isCall && insn.Src == BpfOp.PseudoCall)
            || (insn.Opcode == BpfOp.LdImm64 && insn.Src == BpfOp.PseudoFunc))
            && _funcs.TryGetValue(at + insn.Imm + 1, out var func))
        {
            yield return func;
        }
        else if (isCall && insn.Src == BpfOp.PseudoKfuncCall && _types is not null
            && (uint)insn.Off < (uint)_types.All.Length && (uint)insn.Imm < (uint)_types.All[insn.Off].TypeCount)
        {
            yield return $"kfunc {_types.All[insn.Off][insn.Imm].Name}";
        }
        else if (insn is { Opcode: BpfOp.LdImm64, Src: BpfOp.PseudoMapFd or BpfOp.PseudoMapValue }
            && _types is not null && (uint)insn.Imm < (uint)_prog.Maps.Length)
        {
            yield return $"map {_prog.Maps[insn.Imm].Name}";
        }
    }

    private static string NoteOf(ProgReloc reloc) => reloc.Kind switch
    {
        ProgRelocKind.Map => $"map {reloc.Name}",
        ProgRelocKind.MapValue => $"map {reloc.Name} + {reloc.Addend}",
        ProgRelocKind.KfuncCall => $"kfunc {reloc.Name}{(reloc.IsWeak ? " (weak)" : "")}",
        _ => $"kernel symbol {reloc.Name}{(reloc.IsWeak ? " (weak)" : "")}",
    };

    private string NoteOf(CoReReloc reloc)
    {
        var type = _prog.Btf![reloc.TypeId];
        return $"CO-RE {reloc.Kind} {BtfCPrinter.Declare(type)} {reloc.Access}";
    }
}
