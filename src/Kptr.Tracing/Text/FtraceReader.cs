namespace Kptr.Tracing.Text;

/// <summary>Text of tracefs, and of <c>trace-cmd report</c>.</summary>
internal sealed class FtraceReader : LinesReader
{
    private readonly FtraceLine _parser;

    internal FtraceReader(Stream stream, string name, TraceReaderOptions options)
        : base(stream, name, TraceFormat.Ftrace, options.SkipsBadLines)
    {
        _parser = new(Names);
    }

    private protected override TraceEvent? ParseLine(ReadOnlySpan<byte> line)
    {
        if (_parser.TryParse(line, Line, Offset, out var read))
        {
            return read;
        }

        if (TryLost(line, out var lost))
        {
            return lost;
        }

        return IsNoEvent(line)
            ? null
            : throw Broken("no line of ftrace: COMM-PID [CPU] FLAGS SECONDS.FRACTION: EVENT: FIELDS");
    }

    // CPU:1 [LOST 12 EVENTS] in tracefs, CPU:1 [12 EVENTS DROPPED] and CPU:1 [EVENTS DROPPED] in trace-cmd.
    private bool TryLost(ReadOnlySpan<byte> line, out TraceEvent? lost)
    {
        lost = null;
        var text = line.TrimStart((byte)' ');
        var open = text.IndexOf((byte)'[');
        if (!text.StartsWith("CPU:"u8) || open < 0)
        {
            return false;
        }

        var what = text[(open + 1)..];
        if (what.StartsWith("LOST "u8))
        {
            lost = Lost(NumberAt(what[5..]), (int)Math.Min(NumberAt(text[4..]), int.MaxValue));
        }
        else if (what.IndexOf("EVENTS DROPPED"u8) >= 0)
        {
            lost = Lost(NumberAt(what), (int)Math.Min(NumberAt(text[4..]), int.MaxValue));
        }

        return lost is not null;
    }

    private static bool IsNoEvent(ReadOnlySpan<byte> line)
    {
        var text = line.TrimStart(" \t"u8);
        return text.IsEmpty || text[0] == '#' || text.StartsWith("=> "u8) || text.StartsWith("cpus="u8)
            || text.StartsWith("version = "u8) || (text.StartsWith("CPU "u8) && text.EndsWith(" is empty"u8));
    }
}
