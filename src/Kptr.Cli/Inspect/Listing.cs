using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Cli.Inspect;

/// <summary>
/// A program's instructions between the C lines they come from, with the names of what they refer to.
/// </summary>
internal sealed class Listing
{
    private readonly ProgSpec _prog;
    private readonly Dictionary<int, LineInfo> _lines;
    private readonly Dictionary<int, string> _funcs;
    private readonly ILookup<int, string> _notes;

    public Listing(ProgSpec prog)
    {
        _prog = prog;
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
        foreach (var line in Disassembler.Lines(_prog.Insns, DisasmCpu.V4))
        {
            if (line.InsnIdx > 0 && _funcs.TryGetValue(line.InsnIdx, out var func))
            {
                yield return $"{func}:";
            }

            if (_lines.TryGetValue(line.InsnIdx, out var source) && SourceText(source) is var text && text != last)
            {
                last = text;
                yield return $"; {text}";
            }

            var notes = string.Join(", ", _notes[line.InsnIdx].Concat(CallNotes(line.InsnIdx)));
            yield return notes.Length > 0
                ? $"{line.InsnIdx,6}: {line.Text,-36} ; {notes}"
                : $"{line.InsnIdx,6}: {line.Text}";
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
        return $"CO-RE {reloc.Kind} {Btf.BtfCPrinter.Declare(type)} {reloc.Access}";
    }
}
