using System.Buffers.Text;

namespace Kptr.Tracing.Text;

/// <summary>What stands before the fields on a line of text: where in the line each part is.</summary>
internal ref struct EventHead
{
    // Both tools print the name right-aligned in this many columns, so that what follows it is found there even where
    // the name itself looks like it.
    private const int CommColumns = 16;
    private const int SecondsMax = 9_000_000;

    internal ReadOnlySpan<byte> Comm;
    internal ReadOnlySpan<byte> System;
    internal ReadOnlySpan<byte> Name;
    internal ReadOnlySpan<byte> Payload;
    internal long TimestampNs;
    internal int Pid;
    internal int Tgid;
    internal int Cpu;

    /// <summary><c>COMM PID[/TID] [CPU] SECONDS.FRACTION: [PERIOD] SYSTEM:EVENT: FIELDS</c>.</summary>
    internal static bool TryParsePerf(ReadOnlySpan<byte> line, out EventHead head) =>
        TryParse(line, ' ', out head);

    /// <summary><c>COMM-PID [(TGID)] [CPU] [FLAGS] SECONDS.FRACTION: EVENT: FIELDS</c>.</summary>
    internal static bool TryParseFtrace(ReadOnlySpan<byte> line, out EventHead head) =>
        TryParse(line, '-', out head);

    /// <summary>The event that it is the head of.</summary>
    internal readonly TraceEvent ToEvent(NameCache names, FieldParser fields, long line, long offset)
    {
        var name = names.Get(Name);
        return new(name, TimestampNs, fields.Parse(name, Payload))
        {
            System = names.Get(System),
            Cpu = Cpu,
            Pid = Pid,
            Tgid = Tgid,
            Comm = names.Get(Comm),
            Line = line,
            Offset = offset,
        };
    }

    private static bool TryParse(ReadOnlySpan<byte> line, char separator, out EventHead head)
    {
        head = default;
        if (line.Length > CommColumns && line[CommColumns] == separator
            && head.TryTail(line[(CommColumns + 1)..], separator == '-'))
        {
            head.Comm = line[..CommColumns].Trim((byte)' ');
            return true;
        }

        for (var at = 0; at + 1 < line.Length; at++)
        {
            if (line[at] == separator && IsDigit(line[at + 1]) && head.TryTail(line[(at + 1)..], separator == '-'))
            {
                head.Comm = line[..at].Trim((byte)' ');
                return true;
            }
        }

        return false;
    }

    private bool TryTail(ReadOnlySpan<byte> text, bool isFtrace)
    {
        text = text.TrimStart((byte)' ');
        Tgid = Cpu = -1;
        if (!isFtrace && text.StartsWith("-1 "u8))
        {
            // perf prints -1 for a task that is gone already.
            text = text[2..];
            Pid = -1;
        }
        else if (!TryInt(ref text, out Pid))
        {
            return false;
        }

        if (!isFtrace && text.StartsWith("/"u8))
        {
            text = text[1..];
            Tgid = Pid;
            if (!TryInt(ref text, out Pid))
            {
                return false;
            }
        }

        return (!isFtrace || TryTgid(ref text)) && TryCpu(ref text, isFtrace) && TryTime(ref text)
            && (isFtrace ? TryFtraceName(text) : TryPerfName(text));
    }

    // (  123) or (-----): there with the option record-tgid.
    private bool TryTgid(ref ReadOnlySpan<byte> text)
    {
        var rest = text.TrimStart((byte)' ');
        if (!rest.StartsWith("("u8))
        {
            return true;
        }

        var end = rest.IndexOf((byte)')');
        if (end < 0)
        {
            return false;
        }

        var inside = rest[1..end].Trim((byte)' ');
        if (TryInt(ref inside, out var tgid) && inside.IsEmpty)
        {
            Tgid = tgid;
        }

        text = rest[(end + 1)..];
        return true;
    }

    // [000], and in ftrace flags behind it; in its latency format the CPU is the digits before the flags.
    private bool TryCpu(ref ReadOnlySpan<byte> text, bool isFtrace)
    {
        text = text.TrimStart((byte)' ');
        if (text.StartsWith("["u8))
        {
            text = text[1..].TrimStart((byte)' ');
            if (!TryInt(ref text, out Cpu) || !text.StartsWith("]"u8))
            {
                return false;
            }

            text = text[1..].TrimStart((byte)' ');
            return !isFtrace || IsTime(text) || TrySkipWord(ref text);
        }

        return !isFtrace || IsTime(text) || (TryInt(ref text, out Cpu) && TrySkipWord(ref text));
    }

    private static bool IsTime(ReadOnlySpan<byte> text)
    {
        var at = text.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return at > 0 && text[at] == '.' && at + 1 < text.Length && IsDigit(text[at + 1]);
    }

    private static bool TrySkipWord(ref ReadOnlySpan<byte> text)
    {
        var end = text.IndexOf((byte)' ');
        text = end < 0 ? default : text[end..].TrimStart((byte)' ');
        return end >= 0;
    }

    private bool TryTime(ref ReadOnlySpan<byte> text)
    {
        if (!Utf8Parser.TryParse(text, out ulong seconds, out var length) || seconds > SecondsMax * 1000ul
            || length + 1 >= text.Length || text[length] != '.')
        {
            return false;
        }

        text = text[(length + 1)..];
        var nanos = 0L;
        var digits = 0;
        while (digits < text.Length && IsDigit(text[digits]))
        {
            nanos = digits < 9 ? (nanos * 10) + (text[digits] - '0') : nanos;
            digits++;
        }

        if (digits is 0 or > 9 || digits >= text.Length || text[digits] != ':')
        {
            return false;
        }

        for (var i = digits; i < 9; i++)
        {
            nanos *= 10;
        }

        TimestampNs = ((long)seconds * 1_000_000_000) + nanos;
        text = text[(digits + 1)..].TrimStart((byte)' ');
        return true;
    }

    private bool TryFtraceName(ReadOnlySpan<byte> text)
    {
        System = default;
        var end = text.IndexOf((byte)':');
        if (end <= 0 || text[..end].Contains((byte)' '))
        {
            return false;
        }

        Name = text[..end];
        Payload = text[(end + 1)..].Trim((byte)' ');
        return true;
    }

    private bool TryPerfName(ReadOnlySpan<byte> text)
    {
        // Samples of counters have their period before the name.
        var period = text.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        if (period > 0 && text[period] == ' ')
        {
            text = text[period..].TrimStart((byte)' ');
        }

        var space = text.IndexOf((byte)' ');
        var word = space < 0 ? text : text[..space];
        var paren = word.StartsWith("PERF_RECORD_"u8) ? word.IndexOf((byte)'(') : -1;
        Payload = paren >= 0 ? text[paren..] : space < 0 ? default : text[space..].Trim((byte)' ');
        word = (paren >= 0 ? word[..paren] : word).TrimEnd((byte)':');
        var colon = word.IndexOf((byte)':');
        System = colon < 0 ? default : word[..colon];
        Name = word[(colon + 1)..];
        return !Name.IsEmpty;
    }

    private static bool TryInt(ref ReadOnlySpan<byte> text, out int value)
    {
        if (text.IsEmpty || !IsDigit(text[0]) || !Utf8Parser.TryParse(text, out value, out var length))
        {
            value = -1;
            return false;
        }

        text = text[length..];
        return true;
    }

    private static bool IsDigit(byte value) => value is >= (byte)'0' and <= (byte)'9';
}
