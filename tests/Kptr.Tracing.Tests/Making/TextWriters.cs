using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Kptr.Tracing.Tests.Making;

/// <summary>Writes events as tools print them.</summary>
internal static class TextWriters
{
    public static void Write(TraceFormat format, IEnumerable<TraceEvent> events, Stream to)
    {
        using var writer = new StreamWriter(to, new UTF8Encoding(false), 1 << 16, leaveOpen: true) { NewLine = "\n" };
        switch (format)
        {
            case TraceFormat.PerfScript:
                Each(events, e => writer.WriteLine(Perf(e)));
                break;
            case TraceFormat.Ftrace:
                writer.WriteLine("# tracer: nop\n#");
                Each(events, e => writer.WriteLine(Ftrace(e)));
                break;
            case TraceFormat.Bpftrace:
                writer.WriteLine("""{"type": "attached_probes", "data": {"probes": 9}}""");
                Each(events, e => writer.WriteLine(Bpftrace(e)));
                break;
            case TraceFormat.Chrome:
                WriteChrome(events, writer);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, null);
        }
    }

    public static string Perf(TraceEvent e) => e.Name == TraceEvent.LostEvents
        ? $"{":-1",16} {-1,5} [{e.Cpu:000}] {Time(e)}: PERF_RECORD_LOST lost {Lost(e)}"
        : $"{e.Comm,16} {e.Pid,5} [{e.Cpu:000}] {Time(e)}: {e.System + ":" + e.Name,22}: {Printed.Fields(e)}";

    public static string Ftrace(TraceEvent e) => e.Name == TraceEvent.LostEvents
        ? $"CPU:{e.Cpu} [LOST {Lost(e)} EVENTS]"
        : $"{e.Comm,16}-{e.Pid,-7} [{e.Cpu:000}] d..2. {Time(e)}: {e.Name}: {Printed.Fields(e)}";

    public static string Bpftrace(TraceEvent e) => e.Name == TraceEvent.LostEvents
        ? $$$"""{"type": "lost_events", "data": {"events": {{{Lost(e)}}}}}"""
        : $$"""{"type": "printf", "data": {{JsonSerializer.Serialize(Ftrace(e) + "\n")}}}""";

    private static void WriteChrome(IEnumerable<TraceEvent> events, StreamWriter writer)
    {
        writer.Write("""{"displayTimeUnit": "ns", "traceEvents": [""");
        var isFirst = true;
        foreach (var e in events.Where(e => e.Name != TraceEvent.LostEvents))
        {
            var args = string.Join(", ", e.Fields.Select(f => $"\"{f.Name}\": {Json(f)}"));
            writer.Write(isFirst ? "\n" : ",\n");
            isFirst = false;
            writer.Write($$"""{"name": "{{e.Name}}", "cat": "{{e.System}}", "ph": "i", "s": "t", """);
            writer.Write(string.Create(CultureInfo.InvariantCulture, $"\"ts\": {e.TimestampNs / 1000}"
                + $".{e.TimestampNs % 1000:000}, \"tid\": {e.Pid}, \"cpu\": {e.Cpu}, "));
            writer.Write($$"""  "args": { {{args}} } }""");
        }

        writer.Write("\n]}\n");
    }

    private static string Json(TraceField field) => field.Text is { } text
        ? JsonSerializer.Serialize(text)
        : field.Number.ToString(CultureInfo.InvariantCulture);

    private static string Time(TraceEvent e) => string.Create(CultureInfo.InvariantCulture,
        $"{e.TimestampNs / 1_000_000_000,5}.{e.TimestampNs % 1_000_000_000 / 1000:000000}");

    private static long Lost(TraceEvent e) => e.Fields[0].Number;

    private static void Each(IEnumerable<TraceEvent> events, Action<TraceEvent> write)
    {
        foreach (var e in events)
        {
            write(e);
        }
    }
}
