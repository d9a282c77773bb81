using System.Text;
using System.Text.Json;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Cli.Run;

/// <summary>What a run did and left behind, as one page of HTML.</summary>
internal static class HtmlRunWriter
{
    public static void Write(TextWriter output, RunSession session, RunReport report)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("summary", $"{report.Kernel}; {LedgerPage.Summary(report.Ledger)}; "
                + (session.Lost.Count == 0 ? "all came back when the object was closed"
                    : $"{session.Lost.Count} are lost"));
            json.WriteStartObject("run");
            WritePrograms(json, session, report);
            WriteTexts(json, session, report);
            WriteMaps(json, report);
            json.WriteEndObject();
            LedgerPage.Write(json, report.Ledger);
            json.WriteEndObject();
        }

        var name = Path.GetFileName(report.File);
        output.WriteLine(ReportPage.Make($"kptr run {name}", Encoding.UTF8.GetString(buffer.ToArray())));
    }

    private static void WritePrograms(Utf8JsonWriter json, RunSession session, RunReport report)
    {
        var hooks = session.Links.ToLookup(l => l.Program.Name, l => l.Hook);
        json.WriteStartArray("programs");
        foreach (var program in report.Programs)
        {
            json.WriteStartObject();
            json.WriteString("program", program.Name);
            json.WriteString("at", hooks[program.Name].FirstOrDefault() ?? "not attached");
            json.WriteNumber("runs", program.Stats.RunCount);
            json.WriteNumber("ns", program.Stats.RunCount == 0 ? 0 : program.Stats.AverageNs);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteTexts(Utf8JsonWriter json, RunSession session, RunReport report)
    {
        json.WriteStartArray("texts");
        foreach (var (title, lines) in TextRunWriter.Texts(session, report))
        {
            json.WriteStartArray();
            json.WriteStringValue(title);
            json.WriteStartArray();
            foreach (var line in lines)
            {
                json.WriteStringValue(line);
            }

            json.WriteEndArray();
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void WriteMaps(Utf8JsonWriter json, RunReport report)
    {
        json.WriteStartArray("maps");
        foreach (var table in report.Maps)
        {
            json.WriteStartObject();
            json.WriteString("map", table.Map.Name);
            json.WriteStartArray("rows");
            foreach (var row in table.Rows)
            {
                json.WriteStartObject();
                json.WriteString("key", row.Key);
                json.WriteStartArray("fields");
                foreach (var (field, text) in row.Fields)
                {
                    json.WriteStartArray();
                    json.WriteStringValue(field);
                    json.WriteStringValue(text);
                    json.WriteEndArray();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
