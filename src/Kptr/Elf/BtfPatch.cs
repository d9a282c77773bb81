using System.Buffers.Binary;
using Kptr.Btf;

namespace Kptr.Elf;

/// <summary>
/// The bytes of a BTF with the places of its types, so that single words can be changed and ids stay as they are.
/// </summary>
internal sealed class BtfPatch
{
    private readonly int[] _offsets;

    /// <param name="btf">What the bytes say.</param>
    /// <param name="bytes">Little-endian raw BTF; changed in place.</param>
    public BtfPatch(BtfSpec btf, byte[] bytes)
    {
        Bytes = bytes;
        _offsets = TypeOffsets(btf, bytes);
    }

    public byte[] Bytes { get; }

    /// <summary>Changes a word of a type; the first three are the same for all kinds.</summary>
    public void Put(int id, int word, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(Bytes.AsSpan(_offsets[id] + (4 * word)), value);

    /// <summary>What follows the first three words of a type.</summary>
    public Span<byte> TrailerOf(BtfType type) => Bytes.AsSpan(_offsets[type.Id] + 12, TrailerBytes(type));

    private static int[] TypeOffsets(BtfSpec btf, byte[] bytes)
    {
        var header = bytes.AsSpan();
        var at = (int)(BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) + BinaryPrimitives.ReadUInt32LittleEndian(
            header[8..]));
        var offsets = new int[btf.TypeCount];
        for (var id = 1; id < offsets.Length; id++)
        {
            offsets[id] = at;
            at += 12 + TrailerBytes(btf[id]);
        }

        return offsets;
    }

    private static int TrailerBytes(BtfType type) => type.Kind switch
    {
        BtfKind.Int or BtfKind.Var or BtfKind.DeclTag => 4,
        BtfKind.Array => 12,
        BtfKind.Struct or BtfKind.Union or BtfKind.DataSec or BtfKind.Enum64 => 12 * type.VLen,
        BtfKind.Enum or BtfKind.FuncProto => 8 * type.VLen,
        _ => 0,
    };
}
