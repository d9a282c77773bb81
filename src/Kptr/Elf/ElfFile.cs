using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Elf;

/// <summary>
/// An ELF64 relocatable file for BPF, little-endian: sections, symbols, relocations. Every read is bounds-checked.
/// </summary>
internal sealed class ElfFile
{
    /// <summary>
    /// Longest name read; the kernel's own limit for symbols is 512. Bounds memory on hostile string tables.
    /// </summary>
    private const int NameMaxBytes = 1024;

    private readonly ReadOnlyMemory<byte> _data;
    private readonly ReadOnlyMemory<byte> _symbolNames;
    private readonly Dictionary<uint, string> _names = [];

    private ElfFile(string name, ReadOnlyMemory<byte> data, bool isBpf)
    {
        Name = name;
        _data = data;
        Sections = ReadSections(isBpf);
        if (!isBpf)
        {
            return;
        }

        SymbolTable = Sections.Where(s => s.Type == ElfConst.SymTab).ToArray() switch
        {
            [] => null,
            [var one] => one,
            var many => Fail<ElfSection>(DiagCode.ElfMalformed, many[1].Name, null, "more than one symbol table"),
        };
        if (SymbolTable is null)
        {
            Fail<int>(DiagCode.ElfNoSymbols, null, null, "no symbol table; is the object stripped?");
            return;
        }

        if (SymbolTable.Link == 0 || SymbolTable.Link >= Sections.Length)
        {
            Fail<int>(DiagCode.ElfMalformed, SymbolTable.Name, null, "the symbol table names no string table");
        }

        _symbolNames = Sections[(int)SymbolTable.Link].Data;
        Symbols = ReadSymbols(SymbolTable);
    }

    /// <summary>The file's name, for diagnostics.</summary>
    public string Name { get; }

    public long SizeBytes => _data.Length;

    public ImmutableArray<ElfSection> Sections { get; }

    public ElfSection? SymbolTable { get; }

    public ImmutableArray<ElfSymbol> Symbols { get; } = [];

    /// <summary>Reads a BPF object.</summary>
    public static ElfFile Read(ReadOnlyMemory<byte> data, string name) => new(name, data, isBpf: true);

    /// <summary>
    /// Reads the sections of any 64-bit little-endian ELF file, a kernel or a module; not its symbols.
    /// </summary>
    public static ElfFile ReadAny(ReadOnlyMemory<byte> data, string name) => new(name, data, isBpf: false);

    public ElfSection? Find(string section) => Sections.FirstOrDefault(s => s.Name == section);

    /// <summary>The symbol's name; of a section symbol without one, the section's.</summary>
    public string NameOf(ElfSymbol symbol)
    {
        if (symbol is { Type: ElfConst.SymSection, NameOffset: 0 } && symbol.Section < Sections.Length)
        {
            return Sections[symbol.Section].Name;
        }

        if (!_names.TryGetValue(symbol.NameOffset, out var name))
        {
            _names[symbol.NameOffset] = name = StringAt(_symbolNames.Span, symbol.NameOffset, SymbolTable!.Name);
        }

        return name;
    }

    /// <summary>The entries of a <c>SHT_REL</c> section, each with a symbol that exists.</summary>
    public IEnumerable<ElfReloc> RelocsOf(ElfSection section)
    {
        if (section.EntrySize != ElfConst.RelBytes)
        {
            Fail<int>(DiagCode.ElfMalformed, section.Name, null, $"relocations of {section.EntrySize} bytes");
        }

        for (var at = 0; at + ElfConst.RelBytes <= section.Data.Length; at += ElfConst.RelBytes)
        {
            var span = section.Data.Span[at..];
            var info = BinaryPrimitives.ReadUInt64LittleEndian(span[8..]);
            if (info >> 32 >= (ulong)Symbols.Length)
            {
                Fail<int>(DiagCode.RelocBadTarget, section.Name,
                    at, $"relocation against symbol {info >> 32}, which does not exist");
            }

            yield return new(BinaryPrimitives.ReadUInt64LittleEndian(span), (int)(info >> 32), (uint)info);
        }
    }

    private ImmutableArray<ElfSection> ReadSections(bool isBpf)
    {
        var span = _data.Span;
        CheckHeader(span, isBpf);
        var tableAt = BinaryPrimitives.ReadUInt64LittleEndian(span[0x28..]);
        long count = BinaryPrimitives.ReadUInt16LittleEndian(span[0x3c..]);
        long namesIdx = BinaryPrimitives.ReadUInt16LittleEndian(span[0x3e..]);
        if (BinaryPrimitives.ReadUInt16LittleEndian(span[0x3a..]) != ElfConst.SectionHeaderBytes)
        {
            Fail<int>(DiagCode.ElfMalformed, null, 0x3a, "section headers are not 64 bytes");
        }

        if (tableAt > (ulong)span.Length - ElfConst.SectionHeaderBytes)
        {
            Fail<int>(DiagCode.ElfTruncated, null, 0x28, "the section table reaches past the end");
        }

        // More than 65,279 sections: the numbers are in section 0.
        var first = span[(int)tableAt..];
        count = count == 0
            ? (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(first[0x20..]), int.MaxValue)
            : count;
        namesIdx = namesIdx == ElfConst.SectionXIndex
            ? BinaryPrimitives.ReadUInt32LittleEndian(first[0x28..])
            : namesIdx;
        if (count > (span.Length - (long)tableAt) / ElfConst.SectionHeaderBytes)
        {
            Fail<int>(DiagCode.ElfTruncated, null, (long)tableAt, "the section table reaches past the end");
        }

        if (namesIdx >= count)
        {
            Fail<int>(DiagCode.ElfMalformed, null, 0x3e, $"section {namesIdx}, said to hold the names, does not exist");
        }

        var names = ReadSection(first, (int)namesIdx, "").Data.Span;
        var sections = ImmutableArray.CreateBuilder<ElfSection>((int)count);
        for (var i = 0; i < count; i++)
        {
            var nameAt = BinaryPrimitives.ReadUInt32LittleEndian(first[(i * ElfConst.SectionHeaderBytes)..]);
            sections.Add(ReadSection(first, i, i == 0 ? "" : StringAt(names, nameAt, null)));
        }

        return sections.MoveToImmutable();
    }

    private void CheckHeader(ReadOnlySpan<byte> span, bool isBpf)
    {
        if (span.Length < ElfConst.HeaderBytes || !span.StartsWith("\u007fELF"u8))
        {
            Fail<int>(DiagCode.ElfNotBpfObject, null, 0, "not an ELF file");
        }

        if (span[4] != 2)
        {
            Fail<int>(DiagCode.ElfNotBpfObject, null, 4, "not a 64-bit ELF file");
        }

        if (span[5] != 1)
        {
            Fail<int>(DiagCode.ElfNotBpfObject, null, 5, "not little-endian");
        }

        var machine = BinaryPrimitives.ReadUInt16LittleEndian(span[0x12..]);
        if (!isBpf)
        {
            return;
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(span[0x10..]) != ElfConst.TypeRel
            || machine is not (0 or ElfConst.MachineBpf))
        {
            Fail<int>(DiagCode.ElfNotBpfObject, null, 0x10, "not a relocatable BPF object");
        }
    }

    private ElfSection ReadSection(ReadOnlySpan<byte> table, int index, string name)
    {
        var header = table.Slice(index * ElfConst.SectionHeaderBytes, ElfConst.SectionHeaderBytes);
        var type = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        var at = BinaryPrimitives.ReadUInt64LittleEndian(header[0x18..]);
        var size = BinaryPrimitives.ReadUInt64LittleEndian(header[0x20..]);
        var isEmpty = index == 0 || type == 0 || type == ElfConst.NoBits || size == 0;
        if (size > int.MaxValue && index != 0)
        {
            Fail<int>(DiagCode.ElfMalformed, name, null, $"a section of {size} bytes");
        }

        if (!isEmpty && (at > (ulong)_data.Length || size > (ulong)_data.Length - at))
        {
            Fail<int>(DiagCode.ElfTruncated, name, null, "the section reaches past the end of the file");
        }

        return new(
            index,
            name,
            type,
            BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(header[0x28..]),
            BinaryPrimitives.ReadUInt32LittleEndian(header[0x2c..]),
            BinaryPrimitives.ReadUInt64LittleEndian(header[0x38..]),
            index == 0 ? 0 : (long)size,
            isEmpty ? default : _data.Slice((int)at, (int)size));
    }

    private ImmutableArray<ElfSymbol> ReadSymbols(ElfSection table)
    {
        if (table.EntrySize != ElfConst.SymbolBytes)
        {
            Fail<int>(DiagCode.ElfMalformed, table.Name, null, $"symbols of {table.EntrySize} bytes");
        }

        var count = table.Data.Length / ElfConst.SymbolBytes;
        var symbols = ImmutableArray.CreateBuilder<ElfSymbol>(count);
        for (var i = 0; i < count; i++)
        {
            var span = table.Data.Span.Slice(i * ElfConst.SymbolBytes, ElfConst.SymbolBytes);
            symbols.Add(new(
                i,
                BinaryPrimitives.ReadUInt32LittleEndian(span),
                span[4],
                span[5],
                BinaryPrimitives.ReadUInt16LittleEndian(span[6..]),
                BinaryPrimitives.ReadUInt64LittleEndian(span[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(span[16..])));
        }

        return symbols.MoveToImmutable();
    }

    private string StringAt(ReadOnlySpan<byte> table, uint offset, string? section)
    {
        if (offset >= table.Length)
        {
            return offset == 0 ? "" : Fail<string>(
                DiagCode.ElfMalformed, section, offset, "a name reaches past its string table");
        }

        var rest = table[(int)offset..];
        var end = rest[..Math.Min(rest.Length, NameMaxBytes)].IndexOf((byte)0);
        return end >= 0
            ? Encoding.UTF8.GetString(rest[..end])
            : Fail<string>(DiagCode.ElfMalformed, section, offset, "a name has no end");
    }

    private T Fail<T>(DiagCode code, string? section, long? offset, string message)
    {
        ElfFault.Throw(code, Name, section, offset, message);
        return default;
    }
}
