using System.Buffers.Binary;

namespace Kptr.Btf;

/// <summary>The header of raw BTF: where its types and strings are, counted from the header's end.</summary>
/// <remarks>
/// <code>
/// magic eb9f:16  version:8  flags:8  hdr_len:32  type_off:32  type_len:32  str_off:32  str_len:32
/// </code>
/// Kernel: <c>struct btf_header</c>.
/// </remarks>
internal readonly record struct BtfHeader(uint HeaderLen, uint TypeOff, uint TypeLen, uint StrOff, uint StrLen)
{
    internal const int Bytes = 24;
    private const ushort Magic = 0xeb9f;

    /// <summary>Reads a header in either byte order; null where the magic or version is wrong.</summary>
    internal static BtfHeader? TryRead(ReadOnlySpan<byte> data, out bool bigEndian)
    {
        bigEndian = false;
        if (data.Length < Bytes || data[2] != 1)
        {
            return null;
        }

        bigEndian = BinaryPrimitives.ReadUInt16BigEndian(data) == Magic;
        if (!bigEndian && BinaryPrimitives.ReadUInt16LittleEndian(data) != Magic)
        {
            return null;
        }

        return new(
            ReadU32(data[4..], bigEndian), ReadU32(data[8..], bigEndian), ReadU32(data[12..], bigEndian),
            ReadU32(data[16..], bigEndian), ReadU32(data[20..], bigEndian));
    }

    internal void Write(Span<byte> to, bool bigEndian)
    {
        if (bigEndian)
        {
            BinaryPrimitives.WriteUInt16BigEndian(to, Magic);
        }
        else
        {
            BinaryPrimitives.WriteUInt16LittleEndian(to, Magic);
        }

        to[2] = 1;
        to[3] = 0;
        WriteU32(to[4..], HeaderLen, bigEndian);
        WriteU32(to[8..], TypeOff, bigEndian);
        WriteU32(to[12..], TypeLen, bigEndian);
        WriteU32(to[16..], StrOff, bigEndian);
        WriteU32(to[20..], StrLen, bigEndian);
    }

    internal static uint ReadU32(ReadOnlySpan<byte> from, bool bigEndian) =>
        bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(from) : BinaryPrimitives.ReadUInt32LittleEndian(from);

    internal static void WriteU32(Span<byte> to, uint value, bool bigEndian)
    {
        if (bigEndian)
        {
            BinaryPrimitives.WriteUInt32BigEndian(to, value);
        }
        else
        {
            BinaryPrimitives.WriteUInt32LittleEndian(to, value);
        }
    }
}
