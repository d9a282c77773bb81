using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Kptr.Tracing.Text;

namespace Kptr.Tracing.Json;

/// <summary><c>bpftrace -f json</c>: a JSON object a line; those of printf carry lines of ftrace text.</summary>
internal sealed class BpftraceReader : LinesReader
{
    private readonly FtraceLine _parser;
    private readonly Queue<TraceEvent> _ready = new();
    private byte[] _rest = [];

    internal BpftraceReader(Stream stream, string name, TraceReaderOptions options)
        : base(stream, name, TraceFormat.Bpftrace, options.SkipsBadLines)
    {
        _parser = new(Names);
    }

    public override bool TryRead([NotNullWhen(true)] out TraceEvent? read) =>
        _ready.TryDequeue(out read) || base.TryRead(out read);

    private protected override TraceEvent? ParseLine(ReadOnlySpan<byte> line)
    {
        if (line.Trim(" \t"u8).IsEmpty)
        {
            return null;
        }

        var (type, text, lost) = ReadObject(line);
        switch (type)
        {
            case "printf":
                AddText(text ?? throw Broken("data of a printf is no string"));
                return _ready.TryDequeue(out var read) ? read : null;
            case "lost_events":
                return Lost(lost, -1);
            default:
                return null;
        }
    }

    private (string Type, string? Text, long Lost) ReadObject(ReadOnlySpan<byte> line)
    {
        string? type = null;
        string? text = null;
        long lost = 0;
        try
        {
            var reader = new Utf8JsonReader(line);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw Broken("a line is no JSON object");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("type"u8) && reader.Read() && reader.TokenType == JsonTokenType.String)
                {
                    type = reader.GetString();
                }
                else if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("data"u8))
                {
                    reader.Read();
                    text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                    lost = reader.TokenType == JsonTokenType.StartObject ? ReadLost(ref reader) : 0;
                    reader.Skip();
                }
                else
                {
                    reader.Skip();
                }
            }

            // What is behind the object.
            reader.Read();
        }
        catch (JsonException)
        {
            throw Broken("a line is no JSON object, or it is cut off");
        }
        catch (InvalidOperationException)
        {
            throw Broken("a string is no valid UTF-8 or has half of a surrogate pair");
        }

        return (type ?? throw Broken("an object has no type"), text, lost);
    }

    // Leaves the reader at the end of the object.
    private static long ReadLost(ref Utf8JsonReader reader)
    {
        var lost = 0L;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isCount = reader.ValueTextEquals("events"u8);
            reader.Read();
            if (isCount && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var count))
            {
                lost = Math.Max(count, 0);
            }

            reader.Skip();
        }

        return lost;
    }

    // One printf may print several lines, or a part of one.
    private void AddText(string text)
    {
        byte[] all = [.. _rest, .. Encoding.UTF8.GetBytes(text)];
        var start = 0;
        while (all.AsSpan(start).IndexOf((byte)'\n') is >= 0 and var length)
        {
            var line = all.AsSpan(start, length);
            start += length + 1;
            if (_parser.TryParse(line, Line, Offset, out var read))
            {
                _ready.Enqueue(read);
            }
            else if (!line.Trim(" \t"u8).IsEmpty && line[0] != '#')
            {
                _rest = all[start..];
                throw Broken("a printf is no line of ftrace: COMM-PID [CPU] SECONDS.FRACTION: EVENT: FIELDS");
            }
        }

        _rest = all[start..];
        if (_rest.Length > LineReader.LineBytesMax)
        {
            _rest = [];
            throw Broken($"what printf prints has no end of line within {LineReader.LineBytesMax} bytes");
        }
    }
}
