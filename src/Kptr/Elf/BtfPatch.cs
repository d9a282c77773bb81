using System.Buffers.Binary;
using Kptr.Btf;

namespace Kptr.Elf;

/// <summary>
/// The bytes of a BTF with the places of its types, so that single words can be changed and ids stay as they are.
/// </summary>
internal sealed class BtfPatch
{
    private const int WordBytes = 4;
    private readonly BtfSpec _btf;
    private readonly int _typesStart;

    /// <param name="btf">What the bytes say.</param>
    /// <param name="bytes">Little-endian raw BTF; changed in place.</param>
    public BtfPatch(BtfSpec btf, byte[] bytes)
    {
        _btf = btf;
        Bytes = bytes;
        var header = BtfHeader.TryRead(bytes, out _)!.Value;
        _typesStart = (int)(header.HeaderLen + header.TypeOff);
    }

    public byte[] Bytes { get; }

    /// <summary>Changes a word of a type; the first three are the same for all kinds.</summary>
    public void Put(int id, int word, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(From(id, word), value);

    /// <summary>What follows the first three words of a type.</summary>
    public Span<byte> TrailerOf(int id) => From(id, 3)[..(WordBytes * (_btf.WordsOf(id) - 3))];

    private Span<byte> From(int id, int word) => Bytes.AsSpan(_typesStart + (WordBytes * (_btf.PlaceOf(id) + word)));
}
