namespace Kptr.Tracing.Text;

/// <summary>What has been read of a stream and is not taken yet, in one buffer that grows as it must.</summary>
/// <param name="stream">Read to its end, and disposed of.</param>
/// <param name="bytesMax">How long the buffer may become: a power of two of 64 KiB or more.</param>
internal sealed class ReadAhead(Stream stream, int bytesMax) : IDisposable
{
    private byte[] _buffer = new byte[64 * 1024];
    private int _taken;
    private int _start;
    private int _end;

    /// <summary>What is not taken yet.</summary>
    internal ReadOnlySpan<byte> Rest => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Whether the stream has no more than that.</summary>
    internal bool IsAtEnd { get; private set; }

    /// <summary>What was taken last; nothing once more is read.</summary>
    internal ReadOnlySpan<byte> Taken => _buffer.AsSpan(_taken, _start - _taken);

    /// <summary>Takes the first bytes of the rest.</summary>
    internal ReadOnlySpan<byte> Take(int count)
    {
        _taken = _start;
        _start += count;
        return Taken;
    }

    /// <summary>Reads more; false where the buffer is as long as it may be, and full of what is not taken.</summary>
    internal bool TryFill()
    {
        if (_start > 0)
        {
            Rest.CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        _taken = 0;
        if (_end == _buffer.Length)
        {
            if (_end >= bytesMax)
            {
                return false;
            }

            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var count = stream.Read(_buffer, _end, _buffer.Length - _end);
        IsAtEnd = count == 0;
        _end += count;
        return true;
    }

    public void Dispose() => stream.Dispose();
}
