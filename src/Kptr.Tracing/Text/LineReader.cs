namespace Kptr.Tracing.Text;

/// <summary>Cuts a stream into lines, in one buffer that is as long as the longest of them.</summary>
internal sealed class LineReader(Stream stream, string name) : IDisposable
{
    /// <summary>The longest line that is read.</summary>
    internal const int LineBytesMax = 1024 * 1024;

    private readonly ReadAhead _ahead = new(stream, LineBytesMax);

    /// <summary>Number of the line read last, from 1.</summary>
    internal long Line { get; private set; }

    /// <summary>Where the line read last begins.</summary>
    internal long Offset { get; private set; }

    /// <summary>Where the line after it begins.</summary>
    internal long NextOffset { get; private set; }

    /// <summary>Reads a line without its end. It is valid until the next one is read.</summary>
    internal bool TryRead(out ReadOnlySpan<byte> line)
    {
        var searched = 0;
        while (true)
        {
            var rest = _ahead.Rest;
            var at = rest[searched..].IndexOf((byte)'\n');
            if (at >= 0)
            {
                line = Take(searched + at, 1);
                return true;
            }

            searched = rest.Length;
            if (_ahead.IsAtEnd)
            {
                line = searched > 0 ? Take(searched, 0) : default;
                return searched > 0;
            }

            if (!_ahead.TryFill())
            {
                throw new TraceFormatException(
                    name, Line + 1, NextOffset, $"a line is longer than {LineBytesMax} bytes");
            }
        }
    }

    public void Dispose() => _ahead.Dispose();

    private ReadOnlySpan<byte> Take(int length, int endLength)
    {
        var line = _ahead.Take(length + endLength)[..length];
        Line++;
        Offset = NextOffset;
        NextOffset += length + endLength;
        return line.TrimEnd((byte)'\r');
    }
}
