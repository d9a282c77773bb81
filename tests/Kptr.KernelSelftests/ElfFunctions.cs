using System.Buffers.Binary;
using System.Text;

namespace Kptr.KernelSelftests;

/// <summary>Where the code of each function of an ELF64 object is, so that a copy of the file can be changed in place.</summary>
internal static class ElfFunctions
{
    private const int SectionHeaderBytes = 64;
    private const int SymbolBytes = 24;
    private const uint SectionSymbols = 2;
    private const int SymbolFunc = 2;

    /// <summary>File offset and size in bytes of every function symbol that has a size.</summary>
    public static Dictionary<string, (int Offset, int Size)> Find(ReadOnlySpan<byte> elf)
    {
        var found = new Dictionary<string, (int, int)>();
        var table = (int)BinaryPrimitives.ReadUInt64LittleEndian(elf[40..]);
        var count = BinaryPrimitives.ReadUInt16LittleEndian(elf[60..]);
        for (var i = 0; i < count; i++)
        {
            var header = elf.Slice(table + (i * SectionHeaderBytes), SectionHeaderBytes);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == SectionSymbols)
            {
                ReadSymbols(elf, table, header, found);
            }
        }

        return found;
    }

    private static void ReadSymbols(ReadOnlySpan<byte> elf, int table, ReadOnlySpan<byte> header, Dictionary<string, (int Offset, int Size)> found)
    {
        int start = OffsetOf(header), size = (int)BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        var strings = OffsetOf(elf[(table + ((int)BinaryPrimitives.ReadUInt32LittleEndian(header[40..]) * SectionHeaderBytes))..]);
        for (var at = start; at < start + size; at += SymbolBytes)
        {
            var symbol = elf.Slice(at, SymbolBytes);
            int section = BinaryPrimitives.ReadUInt16LittleEndian(symbol[6..]), bytes = (int)BinaryPrimitives.ReadUInt64LittleEndian(symbol[16..]);
            if ((symbol[4] & 0xf) != SymbolFunc || section is 0 or > 0xff00 || bytes == 0)
            {
                continue;
            }

            var name = elf[(strings + (int)BinaryPrimitives.ReadUInt32LittleEndian(symbol))..];
            var place = OffsetOf(elf[(table + (section * SectionHeaderBytes))..]) + (int)BinaryPrimitives.ReadUInt64LittleEndian(symbol[8..]);
            found[Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)])] = (place, bytes);
        }
    }

    private static int OffsetOf(ReadOnlySpan<byte> sectionHeader) => (int)BinaryPrimitives.ReadUInt64LittleEndian(sectionHeader[24..]);
}
