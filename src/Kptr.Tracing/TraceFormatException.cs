using System.Globalization;

namespace Kptr.Tracing;

/// <summary>A trace is not what its format says. Names the file, the line, and the offset in bytes.</summary>
public sealed class TraceFormatException : FormatException
{
    /// <summary>Says what is wrong and where.</summary>
    /// <param name="source">The trace's name: its path, or what the caller called a stream.</param>
    /// <param name="line">Line, from 1; 0 in a binary trace.</param>
    /// <param name="offset">Bytes from the start of the trace.</param>
    /// <param name="reason">What is wrong, in one sentence.</param>
    public TraceFormatException(string source, long line, long offset, string reason)
        : base(Describe(source, line, offset, reason))
    {
        TraceName = source;
        Line = line;
        Offset = offset;
        Reason = reason;
    }

    /// <summary>The trace's name: its path, or what the caller called a stream.</summary>
    public string TraceName { get; }

    /// <summary>Line, from 1; 0 in a binary trace.</summary>
    public long Line { get; }

    /// <summary>Bytes from the start of the trace.</summary>
    public long Offset { get; }

    /// <summary>What is wrong, without the place.</summary>
    public string Reason { get; }

    private static string Describe(string source, long line, long offset, string reason) => line > 0
        ? string.Create(CultureInfo.InvariantCulture, $"{source}:{line} (byte {offset}): {reason}")
        : string.Create(CultureInfo.InvariantCulture, $"{source} (byte {offset}): {reason}");
}
