using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Elf;

/// <summary>
/// One function symbol with its instructions: an entry program, or a subprogram where it is in <c>.text</c>.
/// </summary>
internal sealed record ElfProg(
    string Name, ElfSection Section, int StartInsn, int InsnCount, bool IsGlobal, bool IsHidden)
{
    /// <summary>Relocations inside it, by rising <see cref="ElfProgReloc.InsnIdx"/>.</summary>
    public List<ElfProgReloc> Relocs { get; } = [];

    public ReadOnlySpan<BpfInsn> Insns =>
        MemoryMarshal.Cast<byte, BpfInsn>(Section.Data.Span).Slice(StartInsn, InsnCount);
}

/// <summary>What an <see cref="ElfProgReloc"/> is about.</summary>
internal enum ElfRelocKind
{
    Map,
    MapValue,
    Extern,
    Call,
    SubprogAddress,
}

/// <summary>One relocation inside a function.</summary>
/// <param name="InsnIdx">The instruction, from the start of the function.</param>
/// <param name="Kind">What it refers to.</param>
/// <param name="Name">Map or extern it names; empty for calls.</param>
/// <param name="SymbolOffset">The symbol's value: bytes in its section.</param>
internal readonly record struct ElfProgReloc(int InsnIdx, ElfRelocKind Kind, string Name, long SymbolOffset);

/// <summary>All functions of an object, sorted by place, found by place.</summary>
internal sealed class ElfProgTable
{
    private readonly List<ElfProg> _all = [];

    public ElfProgTable(SectionLayout layout)
    {
        TextIdx = layout.TextIdx;
        var file = layout.File;
        foreach (var symbol in file.Symbols)
        {
            if (symbol.Type == ElfConst.SymFunc && layout.RoleOf(symbol.Section) == SectionRole.Code)
            {
                _all.Add(Read(file, symbol, symbol.Section == layout.TextIdx));
            }
        }

        // Stable: functions at one place keep the order of their symbols.
        _all = [.. _all.OrderBy(p => p.Section.Index).ThenBy(p => p.StartInsn)];
    }

    public int TextIdx { get; }

    public IReadOnlyList<ElfProg> All => _all;

    public bool IsSubprog(ElfProg prog) => prog.Section.Index == TextIdx;

    /// <summary>The function that contains an instruction of a section, or null.</summary>
    public ElfProg? Find(int section, long insnIdx)
    {
        int low = 0, high = _all.Count - 1;
        while (low < high)
        {
            var mid = low + ((high - low + 1) / 2);
            var prog = _all[mid];
            if (prog.Section.Index < section || (prog.Section.Index == section && prog.StartInsn <= insnIdx))
            {
                low = mid;
            }
            else
            {
                high = mid - 1;
            }
        }

        return _all.Count > 0 && _all[low] is var hit && hit.Section.Index == section
            && insnIdx >= hit.StartInsn && insnIdx < (long)hit.StartInsn + hit.InsnCount
            ? hit
            : null;
    }

    private static ElfProg Read(ElfFile file, ElfSymbol symbol, bool isText)
    {
        var section = file.Sections[symbol.Section];
        var name = file.NameOf(symbol);
        var length = (ulong)section.Data.Length;
        if (symbol.Value > length || symbol.Size > length - symbol.Value)
        {
            ElfFault.Throw(
                DiagCode.ElfBadProgSymbol, file.Name, section.Name, (long)symbol.Value,
                $"program '{name}' crosses the section boundary");
        }

        if (symbol.Size == 0 || symbol.Size % BpfInsn.SizeBytes != 0 || symbol.Value % BpfInsn.SizeBytes != 0)
        {
            ElfFault.Throw(
                DiagCode.ElfBadProgSymbol, file.Name, section.Name, (long)symbol.Value,
                $"program '{name}' is not made of whole instructions");
        }

        if (!isText && symbol.Bind == ElfConst.BindLocal)
        {
            ElfFault.Throw(
                DiagCode.ElfUnsupported, file.Name, section.Name, (long)symbol.Value,
                $"program '{name}' is static and not supported");
        }

        return new(
            name,
            section,
            (int)symbol.Value / BpfInsn.SizeBytes,
            (int)symbol.Size / BpfInsn.SizeBytes,
            symbol.Bind != ElfConst.BindLocal,
            symbol.Bind != ElfConst.BindLocal && symbol.IsHidden);
    }
}
