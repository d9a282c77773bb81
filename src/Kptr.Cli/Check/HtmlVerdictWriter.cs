using System.Text;
using System.Text.Json;
using Kptr.Cli.Inspect;
using Kptr.Cli.Output;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Cli.Check;

/// <summary>
/// Verdicts as one page of HTML, written when all is judged: each program's C lines beside its instructions, the path
/// of a fault through both, and what the verifier knew at each step.
/// </summary>
internal sealed class HtmlVerdictWriter : IVerdictWriter, IDisposable
{
    private readonly TextWriter _output;
    private readonly MemoryStream _buffer = new();
    private readonly Utf8JsonWriter _json;
    private readonly List<string> _unreadable = [];

    public HtmlVerdictWriter(TextWriter output)
    {
        _output = output;
        _json = new(_buffer, JsonText.InPage);
        _json.WriteStartObject();
        _json.WriteStartArray("programs");
    }

    public void Write(string file, ProgVerdicts verdicts)
    {
        foreach (var (kernel, said) in verdicts.Kernels)
        {
            Write(_json, file, kernel, said);
        }
    }

    public void Refuse(Diagnostic fault) => _unreadable.Add(fault.ToString());

    public void Finish(VerdictCount count)
    {
        _json.WriteEndArray();
        _json.WriteString("summary", string.Join("; ", _unreadable.Prepend(count.ToString())));
        _json.WriteEndObject();
        _json.Flush();
        _output.WriteLine(ReportPage.Make("kptr check", Encoding.UTF8.GetString(_buffer.ToArray())));
    }

    public void Dispose()
    {
        _json.Dispose();
        _buffer.Dispose();
    }

    private static void Write(Utf8JsonWriter json, string file, KernelSpec kernel, ProgVerdict said)
    {
        var result = said.Result;
        json.WriteStartObject();
        json.WriteString("object", file);
        json.WriteString("kernel", kernel.Profile.Name);
        json.WriteString("program", said.Prog.Name);
        json.WriteString("section", said.Prog.SectionName);
        json.WriteString("verdict", VerdictWords.Of(result.Verdict));
        json.WriteString("message", result.IsAccepted ? null : result.Message);
        json.WriteString("code", result.Diagnostics.LastOrDefault()?.Code.ToString());
        json.WriteString("suggestion", result.IsAccepted ? null
            : result.Story?.Suggestion ?? result.Diagnostics.LastOrDefault()?.Suggestion);
        json.WriteNumber("processed_insns", result.InsnsProcessed);
        json.WriteStartArray("warnings");
        foreach (var warning in result.IsAccepted ? result.Warnings : [])
        {
            json.WriteStringValue($"instruction {warning.InsnIdx}: {warning.Message} ({warning.Code})");
        }

        json.WriteEndArray();
        json.WriteStartArray("path");
        foreach (var (step, state) in (result.Story?.Steps ?? []).Zip(PathStates.Of(result)))
        {
            json.WriteStartObject();
            json.WriteNumber("insn", step.InsnIdx);
            json.WriteString("kind", VerdictWords.Of(step.Kind));
            json.WriteString("text", step.Text);
            json.WriteString("state", state);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteListing(json, new Listing(said.Prog, kernel.Types));
        json.WriteEndObject();
    }

    private static void WriteListing(Utf8JsonWriter json, Listing listing)
    {
        json.WriteStartArray("listing");
        foreach (var row in listing.Rows())
        {
            json.WriteStartObject();
            json.WriteNumber("insn", row.InsnIdx);
            json.WriteString("text", row.Notes.Length > 0 ? $"{row.Text}  ; {row.Notes}" : row.Text);
            json.WriteString("file", row.Line is { } line ? Path.GetFileName(line.File) : null);
            json.WriteNumber("line", row.Line?.Line ?? 0);
            json.WriteString("source", row.Line?.Text.TrimEnd().Replace("\t", "    ", StringComparison.Ordinal));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
