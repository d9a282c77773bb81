using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;

namespace Kptr.Tracing.Text;

/// <summary>A trace of lines, each of which is an event or nothing.</summary>
internal abstract class LinesReader(Stream stream, string name, TraceFormat format, bool skipsBadLines)
    : TraceReader(name, format)
{
    private readonly LineReader _lines = new(stream, name);

    public override long PositionBytes => _lines.NextOffset;

    private protected NameCache Names { get; } = new();

    private protected long Line => _lines.Line;

    private protected long Offset => _lines.Offset;

    /// <summary>When the event read last was: the time of what has none of its own.</summary>
    private protected long LastNs { get; set; }

    public override bool TryRead([NotNullWhen(true)] out TraceEvent? read)
    {
        while (_lines.TryRead(out var line))
        {
            try
            {
                read = ParseLine(Line == 1 && line.StartsWith("\xEF\xBB\xBF"u8) ? line[3..] : line);
                if (read is not null)
                {
                    LastNs = read.TimestampNs;
                    return true;
                }
            }
            catch (TraceFormatException error) when (skipsBadLines)
            {
                AddBadLine(error);
            }
        }

        read = null;
        return false;
    }

    /// <summary>The event of a line; null for a line that is rightly none.</summary>
    /// <exception cref="TraceFormatException">The line is broken.</exception>
    private protected abstract TraceEvent? ParseLine(ReadOnlySpan<byte> line);

    private protected TraceFormatException Broken(string reason) => new(Name, Line, Offset, reason);

    /// <summary>An event that says that others are missing.</summary>
    private protected TraceEvent Lost(long count, int cpu) =>
        new(TraceEvent.LostEvents, LastNs, new TraceField("events", count)) { Cpu = cpu, Line = Line, Offset = Offset };

    /// <summary>The number that begins a text; 0 where none does.</summary>
    private protected static long NumberAt(ReadOnlySpan<byte> text) =>
        Utf8Parser.TryParse(text, out long number, out _) && number >= 0 ? number : 0;

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _lines.Dispose();
        }
    }
}
