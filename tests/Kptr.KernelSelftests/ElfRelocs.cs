using System.Buffers.Binary;

namespace Kptr.KernelSelftests;

/// <summary>The relocations of instructions of an ELF64 object by the place they patch, so that a copy of the file can be changed in place.</summary>
internal sealed class ElfRelocs
{
    private const int SectionHeaderBytes = 64;
    private const int EntryBytes = 16;
    private const uint SectionRel = 9;

    // R_BPF_64_64 and R_BPF_64_32 of LLVM's BPF target.
    private const uint TypeImm64 = 1;
    private const uint TypeCall = 10;

    private readonly Dictionary<int, int> _entries = [];

    private ElfRelocs(ReadOnlySpan<byte> elf)
    {
        var table = (int)BinaryPrimitives.ReadUInt64LittleEndian(elf[40..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(elf[60..]);
        for (var i = 0; i < count; i++)
        {
            var header = elf.Slice(table + (i * SectionHeaderBytes), SectionHeaderBytes);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == SectionRel)
            {
                var target = table + ((int)BinaryPrimitives.ReadUInt32LittleEndian(header[44..]) * SectionHeaderBytes);
                ReadEntries(elf, Word(header[24..]), Word(header[32..]), Word(elf[(target + 24)..]));
            }
        }
    }

    /// <summary>File offsets of all patched instructions.</summary>
    public IEnumerable<int> Places => _entries.Keys;

    public static ElfRelocs Find(ReadOnlySpan<byte> elf) => new(elf);

    public bool Patches(int place) => _entries.ContainsKey(place);

    /// <summary>The number of the symbol that is put in at a place.</summary>
    public uint SymbolAt(ReadOnlySpan<byte> elf, int place) => BinaryPrimitives.ReadUInt32LittleEndian(elf[(_entries[place] + 12)..]);

    public void SetSymbol(Span<byte> elf, int place, uint symbol) =>
        BinaryPrimitives.WriteUInt32LittleEndian(elf[(_entries[place] + 12)..], symbol);

    /// <summary>Takes the entry of a place away: the last one of its section stands in for it and the section shrinks.</summary>
    public static void Remove(Span<byte> elf, int place)
    {
        var entry = Find(elf)._entries[place];
        var table = (int)BinaryPrimitives.ReadUInt64LittleEndian(elf[40..]);
        for (var i = 0; ; i++)
        {
            var header = elf.Slice(table + (i * SectionHeaderBytes), SectionHeaderBytes);
            int start = Word(header[24..]), size = Word(header[32..]);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == SectionRel && entry >= start && entry < start + size)
            {
                elf.Slice(start + size - EntryBytes, EntryBytes).CopyTo(elf[entry..]);
                BinaryPrimitives.WriteUInt64LittleEndian(header[32..], (ulong)(size - EntryBytes));
                return;
            }
        }
    }

    private static int Word(ReadOnlySpan<byte> at) => (int)BinaryPrimitives.ReadUInt64LittleEndian(at);

    private void ReadEntries(ReadOnlySpan<byte> elf, int start, int size, int target)
    {
        for (var at = start; at < start + size; at += EntryBytes)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(elf[(at + 8)..]) is TypeImm64 or TypeCall)
            {
                _entries[target + Word(elf[at..])] = at;
            }
        }
    }
}
