namespace Kptr.Tracing;

/// <summary>How a trace is read.</summary>
public sealed record TraceReaderOptions
{
    /// <summary>What it looks like.</summary>
    public TraceFormat Format { get; init; }

    /// <summary>
    /// Whether a line that cannot be read is left out and counted (<see cref="TraceReader.BadLines"/>); if not, it
    /// throws. For text and bpftrace; binary traces and Chrome's JSON cannot be read on behind an error.
    /// </summary>
    public bool SkipsBadLines { get; init; }

    /// <summary>
    /// Whether events of binary traces keep their bytes, as replaying them for <c>tp/</c> programs needs.
    /// </summary>
    public bool KeepsRecords { get; init; }
}
