using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>Reads every relocation section of an object and says what each entry means.</summary>
internal sealed class RelocReader(
    SectionLayout layout, ElfProgTable progs, ElfMapTable maps, ExternTable externs, BtfSpec? btf)
{
    private readonly ElfFile _file = layout.File;

    /// <summary>Fills <see cref="ElfProg.Relocs"/> and the slots of maps.</summary>
    public void ReadAll()
    {
        foreach (var section in layout.WithRole(SectionRole.Reloc))
        {
            var target = _file.Sections[(int)section.Info];
            var role = layout.RoleOf(target.Index);
            foreach (var reloc in _file.RelocsOf(section))
            {
                switch (role)
                {
                    case SectionRole.StructOps:
                        ReadStructOps(section, target, reloc);
                        break;
                    case SectionRole.MapDefs:
                        ReadMapSlot(section, target, reloc);
                        break;
                    default:
                        ReadCode(section, target, reloc);
                        break;
                }
            }
        }

        foreach (var prog in progs.All)
        {
            prog.Relocs.Sort((a, b) => a.InsnIdx != b.InsnIdx
                ? a.InsnIdx.CompareTo(b.InsnIdx)
                : a.Kind.CompareTo(b.Kind));
        }
    }

    private void ReadCode(ElfSection section, ElfSection target, ElfReloc reloc)
    {
        if (reloc.Offset % BpfInsn.SizeBytes != 0 || reloc.Offset >= (ulong)target.Data.Length)
        {
            Fail(DiagCode.RelocBadPlace, section, reloc, "not at an instruction");
        }

        // No function there: a weak one that another object overrode when they were linked.
        if (progs.Find(target.Index, (long)reloc.Offset / BpfInsn.SizeBytes) is not { } prog)
        {
            return;
        }

        var insnIdx = (int)((long)reloc.Offset / BpfInsn.SizeBytes) - prog.StartInsn;
        var insn = prog.Insns[insnIdx];
        var symbol = _file.Symbols[reloc.SymbolIndex];
        var isCall = insn.Opcode == (byte)InsnClass.Jmp + BpfOp.Call;
        if (!isCall && insn.Opcode != BpfOp.LdImm64)
        {
            Fail(DiagCode.RelocBadPlace, section,
                reloc, $"invalid relo against '{_file.NameOf(symbol)}' for code 0x{insn.Opcode:x}");
        }

        if (!isCall && insnIdx + 1 >= prog.InsnCount)
        {
            Fail(DiagCode.RelocBadPlace, section, reloc, "lddw without its second slot");
        }

        if (symbol.IsExtern)
        {
            var spec = externs.BySymbol(symbol.Index);
            if (spec is null || (isCall && spec.Kind != ExternKind.KsymFunc))
            {
                Fail(DiagCode.RelocBadTarget, section, reloc,
                    $"no extern '{_file.NameOf(symbol)}'{(isCall ? " to call" : "")}");
            }

            prog.Relocs.Add(new(insnIdx, ElfRelocKind.Extern, spec!.Name, 0));
            return;
        }

        prog.Relocs.Add(isCall
            ? ReadCall(section, reloc, symbol, insn, insnIdx)
            : ReadAddress(section, reloc, symbol, insn, insnIdx));
    }

    private ElfProgReloc ReadCall(ElfSection section, ElfReloc reloc, ElfSymbol symbol, BpfInsn insn, int insnIdx)
    {
        if (insn.Src != BpfOp.PseudoCall)
        {
            Fail(DiagCode.RelocBadPlace, section, reloc, "incorrect bpf_call opcode");
        }

        if (symbol.Section == 0 || symbol.Section != layout.TextIdx || symbol.Value % BpfInsn.SizeBytes != 0)
        {
            Fail(DiagCode.RelocBadTarget, section, reloc, $"bad call relo against '{_file.NameOf(symbol)}'");
        }

        return new(insnIdx, ElfRelocKind.Call, "", (long)symbol.Value);
    }

    private ElfProgReloc ReadAddress(ElfSection section, ElfReloc reloc, ElfSymbol symbol, BpfInsn insn, int insnIdx)
    {
        if (symbol.Section == 0 || symbol.Section >= _file.Sections.Length)
        {
            Fail(DiagCode.RelocBadTarget, section,
                reloc, $"'{_file.NameOf(symbol)}' is in no section; forgot to initialize a global variable?");
        }

        if (IsSubprog(symbol))
        {
            if (symbol.Value % BpfInsn.SizeBytes != 0 || insn.Imm % BpfInsn.SizeBytes != 0)
            {
                Fail(DiagCode.RelocBadTarget, section, reloc,
                    $"bad subprog addr relo against '{_file.NameOf(symbol)}'");
            }

            return new(insnIdx, ElfRelocKind.SubprogAddress, "", (long)symbol.Value);
        }

        var role = layout.RoleOf(symbol.Section);
        var map = role switch
        {
            SectionRole.Arena => maps.Arena,
            SectionRole.MapDefs when symbol.Value <= long.MaxValue => maps.FindAt(symbol.Section, (long)symbol.Value),
            SectionRole.Data or SectionRole.RoData or SectionRole.Bss => maps.FindAt(symbol.Section, 0),
            _ => null,
        };
        if (map is null)
        {
            Fail(
                DiagCode.RelocBadTarget,
                section,
                reloc,
                $"no map for '{_file.NameOf(symbol)}' in section '{_file.Sections[symbol.Section].Name}', "
                    + $"off {symbol.Value}");
        }

        return role == SectionRole.MapDefs
            ? new(insnIdx, ElfRelocKind.Map, map!.Spec.Name, 0)
            : new(insnIdx, ElfRelocKind.MapValue, map!.Spec.Name, (long)symbol.Value);
    }

    private bool IsSubprog(ElfSymbol symbol) =>
        symbol.Section == layout.TextIdx
        && ((symbol.Bind == ElfConst.BindLocal && symbol.Type == ElfConst.SymSection)
            || (symbol.IsGlobal && symbol.Type == ElfConst.SymFunc));

    /// <summary>An initial slot of a map of maps or a program array.</summary>
    private void ReadMapSlot(ElfSection section, ElfSection target, ElfReloc reloc)
    {
        const int PointerBytes = 8;
        var symbol = _file.Symbols[reloc.SymbolIndex];
        var name = _file.NameOf(symbol);
        if (maps.FindCovering(target.Index, reloc.Offset, PointerBytes) is not { } map)
        {
            Fail(DiagCode.RelocBadPlace, section, reloc, $"cannot find the map that '{name}' is put into");
            return;
        }

        var isMapInMap = map.Spec.Type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps;
        var isKnown = isMapInMap
            ? symbol.Section == target.Index && maps.All.Any(m => m.Spec.Name == name)
                && (map.Spec.Type != BpfMapType.HashOfMaps || map.Spec.KeySize == 4)
            : map.Spec.Type == BpfMapType.ProgArray && symbol.Value % BpfInsn.SizeBytes == 0
                && progs.Find(symbol.Section, (long)(symbol.Value / BpfInsn.SizeBytes)) is { } prog
                && !progs.IsSubprog(prog)
                && prog.Name == name && (ulong)prog.StartInsn * BpfInsn.SizeBytes == symbol.Value;
        if (!isKnown)
        {
            Fail(DiagCode.RelocBadTarget, section, reloc, $"'{name}' cannot be put into map '{map.Spec.Name}'");
        }

        var last = map.Def.VLen > 0 ? map.Def.Member(map.Def.VLen - 1) : default;
        var offset = (long)reloc.Offset - map.Offset - last.OffsetBytes;
        if (last.Name != "values" || offset < 0 || offset % PointerBytes != 0)
        {
            Fail(DiagCode.RelocBadPlace, section, reloc, $"not a slot of map '{map.Spec.Name}'");
        }

        var slots = map.Spec.InitialSlots.RemoveAll(s => s.Key == offset / PointerBytes);
        map.Spec = map.Spec with { InitialSlots = slots.Add(((int)(offset / PointerBytes), name)) };
    }

    private void ReadStructOps(ElfSection section, ElfSection target, ElfReloc reloc)
    {
        var symbol = _file.Symbols[reloc.SymbolIndex];
        if (maps.FindCovering(target.Index, reloc.Offset, 1) is not { } map)
        {
            Fail(DiagCode.RelocBadPlace, section, reloc, "in no struct_ops variable");
            return;
        }

        var offset = (long)reloc.Offset - map.Offset;
        var index = Enumerable.Range(0, map.Def.VLen).FirstOrDefault(
            i => map.Def.Member(i).BitOffset == offset * 8, -1);
        if (index < 0 || !IsFuncPointer(map.Def.Member(index).TypeId))
        {
            Fail(DiagCode.RelocBadPlace, section, reloc, $"'{map.Spec.Name}' has no function pointer there");
        }

        if (symbol.Value % BpfInsn.SizeBytes != 0
            || progs.Find(symbol.Section, (long)(symbol.Value / BpfInsn.SizeBytes)) is not { } prog
            || SectionDefs.Find(prog.Section.Name.TrimStart('?'))?.Type != ProgType.StructOps)
        {
            Fail(DiagCode.RelocBadTarget, section, reloc, $"'{_file.NameOf(symbol)}' is no struct_ops program");
            return;
        }

        var ops = map.Spec.StructOps!;
        map.Spec = map.Spec with { StructOps =
            ops with { Slots = ops.Slots.Add((map.Def.Member(index).Name, prog.Name)) } };
    }

    private bool IsFuncPointer(int typeId)
    {
        var type = btf!.SkipModifiers(typeId);
        return type.Kind == BtfKind.Ptr && btf.SkipModifiers(type.RefTypeId).Kind == BtfKind.FuncProto;
    }

    private void Fail(DiagCode code, ElfSection section, ElfReloc reloc, string message) =>
        ElfFault.Throw(code, _file.Name, section.Name, (long)Math.Min(reloc.Offset, long.MaxValue), message);
}
