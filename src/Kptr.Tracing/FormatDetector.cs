using Kptr.Tracing.Text;

namespace Kptr.Tracing;

/// <summary>Finds out from a trace's first bytes what it is.</summary>
internal static class FormatDetector
{
    private const int HeadBytesMax = 64 * 1024;
    private static readonly byte[] DatMagic = [0x17, 0x08, 0x44, .. "tracing"u8];

    /// <summary>What it is, and a stream that begins where the given one began.</summary>
    internal static (TraceFormat Format, Stream Stream) Detect(Stream stream, string name)
    {
        var head = new byte[HeadBytesMax];
        var start = stream.CanSeek ? stream.Position : 0;
        var count = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        var format = FormatOf(head.AsSpan(0, count)) ?? throw new TraceFormatException(name, 1, 0,
            "this is none of the known traces (perf script, ftrace, trace.dat, Chrome JSON, bpftrace JSON)");
        if (stream.CanSeek)
        {
            stream.Position = start;
            return (format, stream);
        }

        return (format, new HeadedStream(head.AsMemory(0, count), stream));
    }

    private static TraceFormat? FormatOf(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith(DatMagic))
        {
            return TraceFormat.TraceDat;
        }

        var text = head.TrimStart(" \t\r\n"u8);
        if (text.StartsWith("\xEF\xBB\xBF"u8))
        {
            text = text[3..];
        }

        if (text.StartsWith("["u8) || text.StartsWith("{"u8))
        {
            return IsBpftrace(text) ? TraceFormat.Bpftrace : TraceFormat.Chrome;
        }

        foreach (var range in head.Split((byte)'\n'))
        {
            if (FormatOfLine(head[range].TrimEnd((byte)'\r')) is { } format)
            {
                return format;
            }
        }

        return null;
    }

    // Each of its lines is an object that begins with its type.
    private static bool IsBpftrace(ReadOnlySpan<byte> text)
    {
        var type = text[1..].TrimStart(" "u8);
        return text[0] == '{' && type.StartsWith("\"type\""u8);
    }

    private static TraceFormat? FormatOfLine(ReadOnlySpan<byte> line) =>
        line.StartsWith("# tracer:"u8) || line.StartsWith("cpus="u8) ? TraceFormat.Ftrace
        : EventHead.TryParsePerf(line, out _) ? TraceFormat.PerfScript
        : EventHead.TryParseFtrace(line, out _) ? TraceFormat.Ftrace
        : null;
}
