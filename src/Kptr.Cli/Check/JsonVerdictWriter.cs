using System.Text.Json;
using Kptr.Cli.Output;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>One JSON object a line and program: a format for scripts, whose fields are only ever added to.</summary>
internal sealed class JsonVerdictWriter(TextWriter output, bool withLog) : IVerdictWriter
{
    public void Write(string file, ProgVerdicts verdicts)
    {
        output.WriteLine(JsonText.Of(JsonText.Compact, json =>
        {
            json.WriteString("object", file);
            json.WriteString("program", verdicts.Name);
            json.WriteString("section", verdicts.Kernels[0].Said.Prog.SectionName);
            if (verdicts.Kernels is [var only])
            {
                Write(json, only.Said);
            }
            else
            {
                WriteKernels(json, verdicts);
            }
        }));
    }

    private void WriteKernels(Utf8JsonWriter json, ProgVerdicts verdicts)
    {
        json.WriteBoolean("differs", !verdicts.Agree);
        json.WriteStartArray("kernels");
        foreach (var (kernel, said) in verdicts.Kernels)
        {
            json.WriteStartObject();
            json.WriteString("kernel", kernel.Profile.Name);
            Write(json, said);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void Write(Utf8JsonWriter json, ProgVerdict verdict)
    {
        var result = verdict.Result;
        var reason = result.Diagnostics.LastOrDefault();
        json.WriteString("verdict", VerdictWords.Of(result.Verdict));
        json.WriteString("code", reason?.Code.ToString());
        json.WriteString("message", result.IsAccepted ? null : result.Message);
        json.WriteString("errno", result.IsAccepted ? null : result.Errno.ToString());
        json.WriteNumberOrNull("insn", reason?.InsnIdx);
        json.WriteNumberOrNull("reg", reason?.Reg);
        json.WriteNumberOrNull("ref", reason?.RefObjId);
        json.WriteNumberOrNull("acquired_insn", reason?.AcquiredAtInsn);
        json.WriteString("source", reason?.Source);
        json.WriteString("suggestion", reason?.Suggestion);
        json.WriteString("btf_fault", verdict.BtfFault?.Message);
        json.WriteStartArray("path");
        foreach (var step in result.Story?.Steps ?? [])
        {
            Write(json, step);
        }

        json.WriteEndArray();
        json.WriteStartArray("warnings");
        foreach (var warning in result.Warnings)
        {
            json.WriteStartObject();
            json.WriteString("code", warning.Code.ToString());
            json.WriteString("message", warning.Message);
            json.WriteNumberOrNull("insn", warning.InsnIdx);
            json.WriteString("source", warning.Source);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("processed_insns", result.InsnsProcessed);
        json.WriteNumber("states", result.States);
        json.WriteNumber("time_us", (long)result.Time.TotalMicroseconds);
        if (withLog)
        {
            json.WriteString("log", result.Log);
        }
    }

    private static void Write(Utf8JsonWriter json, StoryStep step)
    {
        json.WriteStartObject();
        json.WriteNumber("insn", step.InsnIdx);
        json.WriteString("kind", VerdictWords.Of(step.Kind));
        json.WriteString("text", step.Text);
        json.WriteBoolean("note", step.IsNote);
        json.WriteString("file", step.File);
        json.WriteNumberOrNull("line", step.Line);
        json.WriteNumberOrNull("column", step.Column);
        json.WriteString("line_text", step.SourceText);
        json.WriteNumberOrNull("line_text_column", step.TextColumn);
        json.WriteEndObject();
    }
}
