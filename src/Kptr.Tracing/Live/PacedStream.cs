namespace Kptr.Tracing;

/// <summary>
/// Reads a pipe of a running trace in batches: whoever reads each event as it comes wakes up for it, and that is traced
/// too.
/// </summary>
/// <param name="pipe">What is read; closed with this.</param>
/// <param name="stop">Ends the waiting.</param>
internal sealed class PacedStream(Stream pipe, CancellationToken stop) : ForwardStream(pipe)
{
    // The kernel hands out about a page at a time; less means that nothing more is there.
    private const int DrainedBytes = 2048;
    private static readonly TimeSpan s_period = TimeSpan.FromMilliseconds(20);

    public override int Read(Span<byte> buffer)
    {
        var count = Inner.Read(buffer);
        if (count is > 0 and < DrainedBytes)
        {
            stop.WaitHandle.WaitOne(s_period);
        }

        return count;
    }
}
