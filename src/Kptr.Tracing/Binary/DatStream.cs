using System.Buffers.Binary;
using System.Text;

namespace Kptr.Tracing.Binary;

/// <summary>Reads numbers and strings of a <c>trace.dat</c> file, in its own byte order.</summary>
internal sealed class DatStream(Stream stream, string name) : IDisposable
{
    private const int TextBytesMax = 4096;
    private readonly byte[] _word = new byte[8];

    internal bool IsBigEndian { get; set; }

    internal long Length { get; } = stream.Length;

    internal long Position
    {
        get => stream.Position;
        set => stream.Position = value;
    }

    internal byte ReadByte()
    {
        ReadExactly(_word.AsSpan(0, 1));
        return _word[0];
    }

    internal ushort ReadUInt16()
    {
        var bytes = _word.AsSpan(0, 2);
        ReadExactly(bytes);
        return IsBigEndian
            ? BinaryPrimitives.ReadUInt16BigEndian(bytes)
            : BinaryPrimitives.ReadUInt16LittleEndian(bytes);
    }

    internal uint ReadUInt32()
    {
        var bytes = _word.AsSpan(0, 4);
        ReadExactly(bytes);
        return ToUInt32(bytes);
    }

    internal long ReadInt64()
    {
        ReadExactly(_word);
        return IsBigEndian ? BinaryPrimitives.ReadInt64BigEndian(_word) : BinaryPrimitives.ReadInt64LittleEndian(_word);
    }

    /// <summary>A size of 64 bits: what is left of the file holds that much.</summary>
    internal long ReadSize(string what)
    {
        var at = Position;
        var size = ReadInt64();
        return size >= 0 && size <= Length - Position
            ? size
            : throw Broken(at, $"{what} is said to have {size} bytes, and the file ends before that");
    }

    /// <summary>An offset into the file.</summary>
    internal long ReadOffset(string what)
    {
        var at = Position;
        var offset = ReadInt64();
        return offset >= 0 && offset <= Length
            ? offset
            : throw Broken(at, $"{what} is said to be at {offset}, outside of the file");
    }

    /// <summary>A string that ends with a zero.</summary>
    internal string ReadText()
    {
        var at = Position;
        var text = new List<byte>();
        while (ReadByte() is not 0 and var value)
        {
            if (text.Count == TextBytesMax)
            {
                throw Broken(at, $"a string has no end within {TextBytesMax} bytes");
            }

            text.Add(value);
        }

        return Encoding.UTF8.GetString([.. text]);
    }

    internal byte[] ReadBytes(long count, string what, int countMax)
    {
        if (count < 0 || count > countMax || count > Length - Position)
        {
            throw Broken(Position, $"{what} is said to have {count} bytes; the file has {Length - Position}, and "
                + $"{countMax} are read at most");
        }

        var bytes = new byte[count];
        ReadExactly(bytes);
        return bytes;
    }

    internal void ReadExactly(Span<byte> bytes)
    {
        var at = Position;
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
        {
            throw Broken(at, $"the file ends where {bytes.Length} more bytes belong");
        }
    }

    internal uint ToUInt32(ReadOnlySpan<byte> bytes) =>
        IsBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    internal long ToInt64(ReadOnlySpan<byte> bytes) =>
        IsBigEndian ? BinaryPrimitives.ReadInt64BigEndian(bytes) : BinaryPrimitives.ReadInt64LittleEndian(bytes);

    internal TraceFormatException Broken(long at, string reason) => new(name, 0, at, reason);

    public void Dispose() => stream.Dispose();
}
