namespace Kptr.Tracing;

/// <summary>
/// Reads a pipe of a running trace in batches: whoever reads each event as it comes wakes up for it, and that is traced
/// too.
/// </summary>
/// <param name="pipe">What is read; closed with this.</param>
/// <param name="stop">Ends the waiting.</param>
internal sealed class PacedStream(Stream pipe, CancellationToken stop) : Stream
{
    // The kernel hands out about a page at a time; less means that nothing more is there.
    private const int DrainedBytes = 2048;
    private static readonly TimeSpan s_period = TimeSpan.FromMilliseconds(20);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var count = pipe.Read(buffer);
        if (count is > 0 and < DrainedBytes)
        {
            stop.WaitHandle.WaitOne(s_period);
        }

        return count;
    }

    public override void Flush()
    {
        // Nothing is written.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            pipe.Dispose();
        }

        base.Dispose(disposing);
    }
}
