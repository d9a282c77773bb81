namespace Kptr.Tracing.Text;

/// <summary>Cuts a stream into lines, in one buffer that is as long as the longest of them.</summary>
internal sealed class LineReader(Stream stream, string name) : IDisposable
{
    /// <summary>The longest line that is read.</summary>
    internal const int LineBytesMax = 1024 * 1024;

    private const int BufferBytes = 64 * 1024;
    private byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;
    private bool _isAtEnd;

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
            var at = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (at >= 0)
            {
                line = Take(searched + at, 1);
                return true;
            }

            searched = _end - _start;
            if (_isAtEnd)
            {
                line = searched > 0 ? Take(searched, 0) : default;
                return searched > 0;
            }

            Fill();
        }
    }

    public void Dispose() => stream.Dispose();

    private ReadOnlySpan<byte> Take(int length, int endLength)
    {
        var line = _buffer.AsSpan(_start, length);
        _start += length + endLength;
        Line++;
        Offset = NextOffset;
        NextOffset += length + endLength;
        return line.TrimEnd((byte)'\r');
    }

    private void Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            if (_end >= LineBytesMax)
            {
                throw new TraceFormatException(
                    name, Line + 1, NextOffset, $"a line is longer than {LineBytesMax} bytes");
            }

            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var count = stream.Read(_buffer, _end, _buffer.Length - _end);
        _isAtEnd = count == 0;
        _end += count;
    }
}
