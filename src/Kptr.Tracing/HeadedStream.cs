namespace Kptr.Tracing;

/// <summary>A stream whose first bytes were read already.</summary>
internal sealed class HeadedStream(ReadOnlyMemory<byte> head, Stream rest) : ForwardStream(rest)
{
    private ReadOnlyMemory<byte> _head = head;

    public override int Read(Span<byte> buffer)
    {
        if (_head.IsEmpty)
        {
            return Inner.Read(buffer);
        }

        var count = Math.Min(buffer.Length, _head.Length);
        _head.Span[..count].CopyTo(buffer);
        _head = _head[count..];
        return count;
    }
}
