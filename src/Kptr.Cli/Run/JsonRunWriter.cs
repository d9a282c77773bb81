using System.Text.Json;
using Kptr.Cli.Output;
using Kptr.Objects;

namespace Kptr.Cli.Run;

/// <summary>What a run did and left behind, as one JSON object; fields are only ever added.</summary>
internal static class JsonRunWriter
{
    public static void Write(TextWriter output, RunSession session, RunReport report) =>
        output.WriteLine(JsonText.Of(JsonText.Readable, json =>
        {
            json.WriteString("object", report.File);
            json.WriteString("kernel", report.Kernel);
            WritePrograms(json, session, report);
            WriteDrive(json, session);
            WriteStrings(json, "printed", report.Printed);
            json.WriteStartArray("maps");
            foreach (var map in report.Maps)
            {
                WriteMap(json, map);
            }

            json.WriteEndArray();
            WriteEntries(json, "pins", report.Pins);
            json.WriteStartObject("cost");
            json.WriteNumber("bytes", report.Pins.DistinctBy(p => p.Address).Sum(p => p.SizeBytes));
            WriteCosts(json, "by_map", report.Ledger.PinnedBytesByMap());
            WriteCosts(json, "by_site", report.Ledger.PinnedBytesBySite());
            json.WriteEndObject();
            json.WriteNumber("fault_count", session.FaultCount);
            WriteStrings(json, "faults", session.Faults.Select(f => f.ToString()));
            WriteEntries(json, "lost", session.Lost);
        }));

    private static void WritePrograms(Utf8JsonWriter json, RunSession session, RunReport report)
    {
        json.WriteStartArray("programs");
        foreach (var (program, hook) in report.Programs)
        {
            json.WriteStartObject();
            json.WriteString("program", program.Name);
            json.WriteString("section", program.Spec.SectionName);
            json.WriteString("attached", hook);
            json.WriteString("not_attached", session.NotAttached.FirstOrDefault(n => n.Program == program.Name).Why);
            json.WriteNumber("runs", program.Stats.RunCount);
            json.WriteNumber("run_time_ns", program.Stats.RunTimeNs);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteDrive(Utf8JsonWriter json, RunSession session)
    {
        WriteStrings(json, "gaps", session.Gaps);
        if (session.Replay is { } replay)
        {
            json.WriteStartObject("trace");
            json.WriteNumber("applied", replay.Applied);
            json.WriteNumber("left_out", replay.LeftOut);
            json.WriteNumber("first_ns", replay.FirstNs);
            json.WriteNumber("last_ns", replay.LastNs);
            json.WriteNumber("tasks_alive", replay.TasksAlive);
            json.WriteStartObject("issues");
            foreach (var issue in replay.Issues)
            {
                json.WriteNumber(issue.Kind.ToString(), issue.Count);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        if (session.Followed is { } followed)
        {
            json.WriteStartObject("live");
            json.WriteNumber("looks", followed.Looks);
            json.WriteNumber("found", followed.Found);
            json.WriteNumber("forked", followed.Forked);
            json.WriteNumber("exited", followed.Exited);
            json.WriteNumber("differences", followed.Differences);
            json.WriteNumberOrNull("missed", followed.Missed);
            json.WriteEndObject();
        }

        if (session.Tested is { } tested)
        {
            json.WriteStartObject("test");
            json.WriteNumber("return_value", tested.ReturnValue);
            json.WriteString("fault", tested.Fault?.Message);
            json.WriteEndObject();
        }
    }

    private static void WriteMap(Utf8JsonWriter json, MapTable table)
    {
        json.WriteStartObject();
        json.WriteString("map", table.Map.Name);
        json.WriteString("type", table.Map.Type.ToString());
        json.WriteBoolean("is_cut", table.IsCut);
        json.WriteNumber("zero_elements", table.EmptyRows);
        json.WriteStartArray("rows");
        foreach (var row in table.Rows)
        {
            json.WriteStartObject();
            json.WriteString("key", row.Key);
            json.WriteStartObject("fields");
            foreach (var (field, text) in row.Fields)
            {
                json.WriteString(field, text);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteEntries(Utf8JsonWriter json, string name, IEnumerable<LedgerEntry> entries)
    {
        json.WriteStartArray(name);
        foreach (var entry in entries)
        {
            json.WriteStartObject();
            json.WriteString("object", entry.Object);
            json.WriteString("type", entry.TypeName);
            json.WriteNumber("bytes", entry.SizeBytes);
            json.WriteString("holder", entry.Holder.ToString());
            json.WriteString("holder_kind", entry.Holder.Kind);
            json.WriteString("held_since", entry.HeldSince.IsKnown ? entry.HeldSince.ToString() : null);
            json.WriteString("acquired_at", entry.AcquiredAt.IsKnown ? entry.AcquiredAt.ToString() : null);
            json.WriteNumber("acquired_ns", entry.AcquiredNs);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteCosts(Utf8JsonWriter json, string name, IEnumerable<KeyValuePair<string, long>> costs)
    {
        json.WriteStartObject(name);
        foreach (var (key, bytes) in costs)
        {
            json.WriteNumber(key, bytes);
        }

        json.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}
