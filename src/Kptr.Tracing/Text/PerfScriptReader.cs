using System.Buffers;

namespace Kptr.Tracing.Text;

/// <summary>Text of <c>perf script</c>.</summary>
internal sealed class PerfScriptReader : LinesReader
{
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdef"u8);
    private readonly FieldParser _fields;

    internal PerfScriptReader(Stream stream, string name, TraceReaderOptions options)
        : base(stream, name, TraceFormat.PerfScript, options.SkipsBadLines)
    {
        _fields = new(Names);
    }

    private protected override TraceEvent? ParseLine(ReadOnlySpan<byte> line)
    {
        if (!EventHead.TryParsePerf(line, out var head))
        {
            return IsNoEvent(line)
                ? null
                : throw Broken("no line of perf script: COMM PID [CPU] SECONDS.FRACTION: SYSTEM:EVENT: FIELDS");
        }

        if (head.Name.StartsWith("PERF_RECORD_LOST"u8))
        {
            LastNs = head.TimestampNs == 0 ? LastNs : head.TimestampNs;
            var lost = head.Payload.IndexOf("lost "u8);
            return Lost(lost < 0 ? 0 : NumberAt(head.Payload[(lost + 5)..].TrimStart((byte)' ')), head.Cpu);
        }

        return head.ToEvent(Names, _fields, Line, Offset);
    }

    // Blank lines, headers, and call chains: an address and a symbol, behind white space.
    private static bool IsNoEvent(ReadOnlySpan<byte> line)
    {
        var text = line.TrimStart(" \t"u8);
        if (text.IsEmpty || text[0] == '#')
        {
            return true;
        }

        var digits = text.IndexOfAnyExcept(HexDigits);
        return text.Length < line.Length && (digits < 0 || (digits > 0 && text[digits] == ' '));
    }
}
