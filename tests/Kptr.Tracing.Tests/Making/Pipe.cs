namespace Kptr.Tracing.Tests.Making;

/// <summary>A stream as a pipe is: it cannot be sought, and gives a few bytes at a time.</summary>
internal sealed class Pipe(Stream whole, int bytesMax) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) =>
        whole.Read(buffer, offset, Math.Min(count, bytesMax));

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
