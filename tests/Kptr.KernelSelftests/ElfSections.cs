using System.Buffers.Binary;
using System.Text;

namespace Kptr.KernelSelftests;

/// <summary>
/// The section headers of an ELF64 object, named by their file offsets, so that a copy of the
/// file can be changed in place.
/// </summary>
internal static class ElfSections
{
    private const int HeaderBytes = 64;

    /// <summary>Headers of all sections of a type, in file order.</summary>
    public static IEnumerable<int> OfType(byte[] elf, uint type)
    {
        var count = BinaryPrimitives.ReadUInt16LittleEndian(elf.AsSpan(60));
        return Enumerable.Range(0, count).Select(i => HeaderOf(elf, i)).Where(header => Int32(elf, header + 4) == type);
    }

    /// <summary>Header of the section with a number.</summary>
    public static int HeaderOf(byte[] elf, int section) => Int64(elf, 40) + (section * HeaderBytes);

    /// <summary>Header of the first section with a name.</summary>
    public static int Named(byte[] elf, string name)
    {
        var names = OffsetOf(elf, HeaderOf(elf, BinaryPrimitives.ReadUInt16LittleEndian(elf.AsSpan(62))));
        var wanted = Encoding.ASCII.GetBytes(name + '\0');
        var count = BinaryPrimitives.ReadUInt16LittleEndian(elf.AsSpan(60));
        return Enumerable.Range(0, count)
            .Select(i => HeaderOf(elf, i))
            .First(h => elf.AsSpan(names + Int32(elf, h)).StartsWith(wanted));
    }

    /// <summary>File offset of the content.</summary>
    public static int OffsetOf(byte[] elf, int header) => Int64(elf, header + 24);

    /// <summary>Bytes of the content.</summary>
    public static int SizeOf(byte[] elf, int header) => Int64(elf, header + 32);

    public static void SetSize(byte[] elf, int header, int bytes) =>
        BinaryPrimitives.WriteUInt64LittleEndian(elf.AsSpan(header + 32), (ulong)bytes);

    /// <summary>Header of the section it links to: of symbols, their names.</summary>
    public static int LinkOf(byte[] elf, int header) => HeaderOf(elf, Int32(elf, header + 40));

    /// <summary>Header of the section it is about: of relocations, what they patch.</summary>
    public static int TargetOf(byte[] elf, int header) => HeaderOf(elf, Int32(elf, header + 44));

    private static int Int32(byte[] elf, int at) => BinaryPrimitives.ReadInt32LittleEndian(elf.AsSpan(at));

    private static int Int64(byte[] elf, int at) => (int)BinaryPrimitives.ReadUInt64LittleEndian(elf.AsSpan(at));
}
