using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>
/// Builds one entry program: its own instructions, then every subprogram it reaches, each once, in the order of libbpf:
/// a subprogram is appended at the first call met, and its own calls are followed before the caller's next one.
/// </summary>
internal sealed class ProgAssembler
{
    /// <summary>
    /// The kernel refuses more than 256 subprograms; this bounds recursion for what it would refuse anyway.
    /// </summary>
    private const int SubprogsMax = 1024;

    private readonly ObjectParts _parts;
    private readonly ElfProg _main;
    private readonly InsnBudget _budget;
    private readonly List<BpfInsn> _insns = [];
    private readonly List<ProgReloc> _relocs = [];
    private readonly List<CoReReloc> _coRe = [];
    private readonly List<int> _fdInsns = [];
    private readonly List<FuncInfo> _funcs = [];
    private readonly List<LineInfo> _lines = [];
    private readonly Dictionary<ElfProg, int> _startOf = new(ReferenceEqualityComparer.Instance);

    private ProgAssembler(ObjectParts parts, ElfProg main, InsnBudget budget)
    {
        _parts = parts;
        _main = main;
        _budget = budget;
    }

    /// <summary>
    /// Builds the program; one whose calls lead nowhere comes back with a <see cref="ProgSpec.LinkFault"/>.
    /// </summary>
    public static ProgSpec Build(ObjectParts parts, ElfProg main, InsnBudget budget)
    {
        var assembler = new ProgAssembler(parts, main, budget);
        Diagnostic? fault = null;
        try
        {
            assembler.Append(main);
            assembler.AppendExceptionCallback();
        }
        catch (DiagnosticException e) when (e.Diagnostics[0].Code != DiagCode.ElfTooLarge)
        {
            fault = e.Diagnostics[0];
        }

        return assembler.ToSpec() with { LinkFault = fault };
    }

    private ProgSpec ToSpec()
    {
        var section = _main.Section.Name;
        var isOptional = section.StartsWith('?');
        section = isOptional ? section[1..] : section;
        var def = SectionDefs.Find(section);
        var flags = def?.Flags ?? SectionFlags.None;
        return new(_main.Name, def?.Type ?? ProgType.Unspec, [.. _insns])
        {
            SectionName = section,
            ExpectedAttachType = def?.Attach,
            AttachTarget = def?.TargetOf(section),
            IsSleepable = (flags & SectionFlags.Sleepable) != 0,
            LoadFlags = (flags & SectionFlags.XdpFrags) != 0 ? LoadFlag.XdpHasFrags : 0,
            Autoload = !isOptional,
            License = _parts.License,
            Btf = _parts.Btf,
            FuncInfos = [.. _funcs],
            LineInfos = [.. _lines],
            Relocs = [.. _relocs],
            CoReRelocs = [.. _coRe],
            FdInsns = [.. _fdInsns],
            OwnInsnCount = _main.InsnCount,
        };
    }

    private int Append(ElfProg prog)
    {
        var infos = _parts.CountInfos(prog);
        if (_startOf.Count >= SubprogsMax || !_budget.TryTake((long)prog.InsnCount + prog.Relocs.Count + infos))
        {
            ElfFault.Throw(DiagCode.ElfTooLarge, _parts.File, prog.Section.Name, null,
                $"prog '{_main.Name}': too many subprograms or instructions");
        }

        var start = _insns.Count;
        _startOf[prog] = start;
        _insns.AddRange(prog.Insns);
        AppendInfos(prog, start);
        AppendRelocs(prog, start);
        NoteFileDescriptors(prog, start);
        FollowCalls(prog, start);
        return start;
    }

    private void FollowCalls(ElfProg prog, int start)
    {
        var next = 0;
        for (var i = 0; i < prog.InsnCount; i++)
        {
            while (next < prog.Relocs.Count && prog.Relocs[next].InsnIdx < i)
            {
                next++;
            }

            var reloc = next < prog.Relocs.Count && prog.Relocs[next].InsnIdx == i
                ? prog.Relocs[next]
                : (ElfProgReloc?)null;
            var insn = _insns[start + i];
            if (reloc is null && insn.Opcode == BpfOp.LdImm64 && insn.Src == BpfOp.PseudoFunc)
            {
                ElfFault.Throw(
                    DiagCode.RelocNoSubprog, _parts.File, prog.Section.Name,
                    (long)(prog.StartInsn + i) * BpfInsn.SizeBytes,
                    $"prog '{_main.Name}': missing subprog addr relo");
            }

            if (TargetOf(prog, i, insn, reloc) is not { } target)
            {
                continue;
            }

            if (_parts.Progs.TextIdx == 0 || _parts.Progs.Find(_parts.Progs.TextIdx, target) is not { } subprog)
            {
                ElfFault.Throw(
                    DiagCode.RelocNoSubprog, _parts.File, prog.Section.Name,
                    (long)(prog.StartInsn + i) * BpfInsn.SizeBytes,
                    $"prog '{_main.Name}': no .text section found yet sub-program call exists");
                return;
            }

            if (!_startOf.TryGetValue(subprog, out var at))
            {
                at = Append(subprog);
            }

            var src = reloc?.Kind == ElfRelocKind.SubprogAddress ? BpfOp.PseudoFunc : insn.Src;
            _insns[start + i] = new(insn.Opcode, insn.Dst, src, insn.Off, at - (start + i) - 1);
        }
    }

    /// <summary>
    /// The instruction of <c>.text</c> that this one calls or takes the address of; null for everything else.
    /// </summary>
    private static long? TargetOf(ElfProg prog, int index, BpfInsn insn, ElfProgReloc? reloc)
    {
        return reloc switch
        {
            { Kind: ElfRelocKind.SubprogAddress } r => (r.SymbolOffset + insn.Imm) / BpfInsn.SizeBytes,
            { Kind: ElfRelocKind.Call } r when insn.IsLocalCall => (r.SymbolOffset / BpfInsn.SizeBytes) + insn.Imm + 1,
            null when insn.IsLocalCall => (long)prog.StartInsn + index + insn.Imm + 1,
            _ => null,
        };
    }

    private void AppendRelocs(ElfProg prog, int start)
    {
        foreach (var reloc in prog.Relocs)
        {
            var at = start + reloc.InsnIdx;
            switch (reloc.Kind)
            {
                case ElfRelocKind.Map:
                    _relocs.Add(new(at, ProgRelocKind.Map, reloc.Name));
                    break;
                case ElfRelocKind.MapValue:
                    _relocs.Add(
                        new(at, ProgRelocKind.MapValue, reloc.Name, (int)(_insns[at].Imm + reloc.SymbolOffset)));
                    break;
                case ElfRelocKind.Extern:
                    _relocs.Add(ExternReloc(at, _parts.Extern(reloc.Name)));
                    break;
            }
        }
    }

    /// <summary>
    /// Notes the references without a relocation: they name file descriptors of whoever wrote the object.
    /// </summary>
    private void NoteFileDescriptors(ElfProg prog, int start)
    {
        var relocated = prog.Relocs.Select(r => r.InsnIdx).ToHashSet();
        _fdInsns.AddRange(Enumerable.Range(0, prog.InsnCount)
            .Where(i => !relocated.Contains(i) && FdInsn.Is(_insns, start + i))
            .Select(i => start + i));
    }

    private ProgReloc ExternReloc(int at, ExternSpec spec)
    {
        if (spec.Kconfig is { } slot)
        {
            return new(at, ProgRelocKind.MapValue, ".kconfig", slot.OffsetBytes);
        }

        var isCall = _insns[at].Opcode != BpfOp.LdImm64;
        var kind = isCall ? ProgRelocKind.KfuncCall
            : spec.Kind == ExternKind.KsymTypeless ? ProgRelocKind.TypelessKsym : ProgRelocKind.TypedKsym;
        return new(at, kind, spec.Name, 0, spec.IsWeak, spec.LocalTypeId);
    }

    private void AppendInfos(ElfProg prog, int start)
    {
        var shift = start - prog.StartInsn;
        if (start == 0 || _funcs.Count > 0)
        {
            foreach (var f in _parts.Ext.FuncsOf(prog))
            {
                _funcs.Add(new(IndexOf(f.InsnOffsetBytes) + shift, f.TypeId));
            }
        }

        if (start == 0 || _lines.Count > 0)
        {
            foreach (var l in _parts.Ext.LinesOf(prog))
            {
                _lines.Add(new(
                    IndexOf(l.InsnOffsetBytes) + shift, _parts.String(l.FileOffset),
                    _parts.String(l.TextOffset), l.Line, l.Column));
            }
        }

        foreach (var r in _parts.Ext.CoReOf(prog))
        {
            _coRe.Add(new(IndexOf(r.InsnOffsetBytes) + shift, (CoReKind)r.Kind, r.TypeId,
                _parts.String(r.AccessOffset)));
        }
    }

    private static int IndexOf(int offsetBytes) => offsetBytes / BpfInsn.SizeBytes;

    /// <summary>The subprogram named by <c>__exception_cb()</c> is nowhere called, but needed.</summary>
    private void AppendExceptionCallback()
    {
        var names = _parts.ExceptionCallbacksOf(_main.Name);
        if (names.Length != 1)
        {
            return; // none; or several, which the verifier refuses
        }

        var found = _parts.Progs.All.Where(p => _parts.Progs.IsSubprog(p) && p.Name == names[0]).ToArray();
        if (found is not [{ IsGlobal: true, IsHidden: false } callback])
        {
            ElfFault.Throw(
                DiagCode.RelocNoSubprog, _parts.File, _main.Section.Name, null,
                $"prog '{_main.Name}': cannot find exception callback '{names[0]}' as a global non-hidden function");
            return;
        }

        if (!_startOf.ContainsKey(callback))
        {
            Append(callback);
        }
    }
}
