using System.Text.Json;
using Kptr.Cli.Output;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Cli.Run;

/// <summary>What a run did and left behind, as one page of HTML.</summary>
internal static class HtmlRunWriter
{
    public static void Write(TextWriter output, RunSession session, RunReport report)
    {
        var page = JsonText.Of(JsonText.InPage, json =>
        {
            json.WriteString("summary", $"{report.Kernel}; {LedgerPage.Summary(report.Ledger)}; "
                + (session.Lost.Count == 0 ? "all came back when the object was closed"
                    : $"{session.Lost.Count} are lost"));
            json.WriteStartObject("run");
            WritePrograms(json, report);
            WriteTexts(json, session, report);
            WriteMaps(json, report);
            json.WriteEndObject();
            LedgerPage.Write(json, report.Ledger);
        });
        output.WriteLine(ReportPage.Make($"kptr run {Path.GetFileName(report.File)}", page));
    }

    private static void WritePrograms(Utf8JsonWriter json, RunReport report)
    {
        json.WriteStartArray("programs");
        foreach (var (program, hook) in report.Programs)
        {
            json.WriteStartObject();
            json.WriteString("program", program.Name);
            json.WriteString("at", hook ?? "not attached");
            json.WriteNumber("runs", program.Stats.RunCount);
            json.WriteNumber("ns", program.Stats.RunCount == 0 ? 0 : program.Stats.AverageNs);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteTexts(Utf8JsonWriter json, RunSession session, RunReport report)
    {
        json.WriteStartArray("texts");
        IEnumerable<(string, IReadOnlyList<string>)> faults = session.Faults.Count == 0 ? []
            : [("faults", [.. session.Faults.Select(f => f.ToString())])];
        foreach (var (title, lines) in TextRunWriter.Texts(session, report).Concat(faults))
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
