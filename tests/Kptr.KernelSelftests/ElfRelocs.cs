using System.Buffers.Binary;

namespace Kptr.KernelSelftests;

/// <summary>
/// The relocations of instructions of an ELF64 object by the place they patch, to be changed in the object's own bytes.
/// </summary>
internal sealed class ElfRelocs
{
    private const int EntryBytes = 16;
    private const uint SectionRel = 9;

    // R_BPF_64_64 and R_BPF_64_32 of LLVM's BPF target.
    private const uint TypeImm64 = 1;
    private const uint TypeCall = 10;

    private readonly byte[] _elf;
    private readonly Dictionary<int, int> _entries = [];

    public ElfRelocs(byte[] elf)
    {
        _elf = elf;
        ReadEntries();
    }

    /// <summary>File offsets of all patched instructions.</summary>
    public IEnumerable<int> Places => _entries.Keys;

    public bool Patches(int place) => _entries.ContainsKey(place);

    /// <summary>The number of the symbol that is put in at a place.</summary>
    public uint SymbolAt(int place) => BinaryPrimitives.ReadUInt32LittleEndian(_elf.AsSpan(_entries[place] + 12));

    public void SetSymbol(int place, uint symbol) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_elf.AsSpan(_entries[place] + 12), symbol);

    /// <summary>
    /// Takes the entry of a place away: the last one of its section stands in for it and the section shrinks.
    /// </summary>
    public void Remove(int place)
    {
        var entry = _entries[place];
        var header = ElfSections.OfType(_elf, SectionRel)
            .First(h => entry >= ElfSections.OffsetOf(_elf, h)
                && entry < ElfSections.OffsetOf(_elf, h) + ElfSections.SizeOf(_elf, h));
        var left = ElfSections.SizeOf(_elf, header) - EntryBytes;
        _elf.AsSpan(ElfSections.OffsetOf(_elf, header) + left, EntryBytes).CopyTo(_elf.AsSpan(entry));
        ElfSections.SetSize(_elf, header, left);
        _entries.Clear();
        ReadEntries();
    }

    private void ReadEntries()
    {
        foreach (var header in ElfSections.OfType(_elf, SectionRel))
        {
            var target = ElfSections.OffsetOf(_elf, ElfSections.TargetOf(_elf, header));
            int start = ElfSections.OffsetOf(_elf, header), size = ElfSections.SizeOf(_elf, header);
            for (var at = start; at < start + size; at += EntryBytes)
            {
                if (BinaryPrimitives.ReadUInt32LittleEndian(_elf.AsSpan(at + 8)) is TypeImm64 or TypeCall)
                {
                    _entries[target + (int)BinaryPrimitives.ReadUInt64LittleEndian(_elf.AsSpan(at))] = at;
                }
            }
        }
    }
}
