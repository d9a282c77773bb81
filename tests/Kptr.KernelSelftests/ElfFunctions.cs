using System.Buffers.Binary;
using System.Text;

namespace Kptr.KernelSelftests;

/// <summary>
/// Where the code of each function of an ELF64 object is, so that a copy of the file can be changed in place.
/// </summary>
internal static class ElfFunctions
{
    private const int SymbolBytes = 24;
    private const uint SectionSymbols = 2;
    private const int SymbolFunc = 2;

    /// <summary>File offset and size in bytes of every function symbol that has a size.</summary>
    public static Dictionary<string, (int Offset, int Size)> Find(byte[] elf)
    {
        var found = new Dictionary<string, (int, int)>();
        foreach (var header in ElfSections.OfType(elf, SectionSymbols))
        {
            ReadSymbols(elf, header, found);
        }

        return found;
    }

    private static void ReadSymbols(byte[] elf, int header, Dictionary<string, (int Offset, int Size)> found)
    {
        int start = ElfSections.OffsetOf(elf, header), size = ElfSections.SizeOf(elf, header);
        var strings = ElfSections.OffsetOf(elf, ElfSections.LinkOf(elf, header));
        for (var at = start; at < start + size; at += SymbolBytes)
        {
            var symbol = elf.AsSpan(at, SymbolBytes);
            int section = BinaryPrimitives.ReadUInt16LittleEndian(symbol[6..]), bytes =
                (int)BinaryPrimitives.ReadUInt64LittleEndian(symbol[16..]);
            if ((symbol[4] & 0xf) != SymbolFunc || section is 0 or > 0xff00 || bytes == 0)
            {
                continue;
            }

            var name = elf.AsSpan(strings + (int)BinaryPrimitives.ReadUInt32LittleEndian(symbol));
            var code = ElfSections.OffsetOf(elf, ElfSections.HeaderOf(elf, section));
            found[Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)])] =
                (code + (int)BinaryPrimitives.ReadUInt64LittleEndian(symbol[8..]), bytes);
        }
    }
}
