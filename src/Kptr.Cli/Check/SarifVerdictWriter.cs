using System.Reflection;
using System.Text.Json;
using Kptr.Cli.Output;
using Kptr.Diagnostics;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>
/// Refusals and warnings as one SARIF 2.1.0 log, written when all is judged: a result each, with the path to the fault
/// as its code flow.
/// </summary>
internal sealed class SarifVerdictWriter(TextWriter output, SourcePaths paths) : IVerdictWriter
{
    private const string Schema = "https://json.schemastore.org/sarif-2.1.0.json";
    private readonly List<Finding> _findings = [];
    private readonly List<Diagnostic> _unreadable = [];

    public void Write(string file, ProgVerdicts verdicts) => _findings.AddRange(Finding.Of(file, verdicts));

    public void Refuse(Diagnostic fault) => _unreadable.Add(fault);

    public void Finish(VerdictCount count) => output.WriteLine(JsonText.Of(JsonText.Readable, json =>
    {
        json.WriteString("$schema", Schema);
        json.WriteString("version", "2.1.0");
        json.WriteStartArray("runs");
        WriteRun(json);
        json.WriteEndArray();
    }));

    private void WriteRun(Utf8JsonWriter json)
    {
        var rules = _findings.Select(f => f.Code).Distinct().Order().ToList();
        json.WriteStartObject();
        json.WriteStartObject("tool");
        json.WriteStartObject("driver");
        json.WriteString("name", "kptr");
        json.WriteString("semanticVersion", Version);
        json.WriteStartArray("rules");
        foreach (var rule in rules)
        {
            json.WriteStartObject();
            json.WriteString("id", rule.ToString());
            if (Explain.CodePages.Find(rule) is { } page)
            {
                WriteText(json, "shortDescription", page.Summary);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteString("columnKind", "utf16CodeUnits");
        WriteInvocation(json);
        json.WriteStartArray("results");
        foreach (var finding in _findings)
        {
            WriteResult(json, finding, rules.IndexOf(finding.Code));
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteInvocation(Utf8JsonWriter json)
    {
        json.WriteStartArray("invocations");
        json.WriteStartObject();
        json.WriteBoolean("executionSuccessful", _unreadable.Count == 0);
        json.WriteStartArray("toolExecutionNotifications");
        foreach (var fault in _unreadable)
        {
            json.WriteStartObject();
            json.WriteString("level", "error");
            WriteText(json, "message", fault.ToString());
            json.WriteStartArray("locations");
            json.WriteStartObject();
            WriteArtifact(json, paths.Of(fault.File ?? ""), null);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private void WriteResult(Utf8JsonWriter json, Finding finding, int rule)
    {
        var result = finding.Said.Result;
        var steps = finding.IsRefusal ? result.Story?.Steps ?? [] : [];
        json.WriteStartObject();
        json.WriteString("ruleId", finding.Code.ToString());
        json.WriteNumber("ruleIndex", rule);
        json.WriteString("level", finding.IsRefusal ? "error" : "warning");
        var advice = finding.Reason?.Suggestion ?? (finding.IsRefusal ? result.Story?.Suggestion : null);
        WriteText(json, "message", $"{finding.Kernel.Profile.Name} "
            + (finding.IsRefusal ? $"refuses {finding.Said.Prog.Name}: {result.Message}"
                : $"accepts {finding.Said.Prog.Name}: {finding.Reason!.Message}")
            + (advice is null ? "" : $"\n{advice}"));
        json.WriteStartArray("locations");
        WriteLocation(json, finding, finding.Step, null);
        json.WriteEndArray();
        if (steps.Length > 0)
        {
            WritePath(json, finding, steps);
        }

        json.WriteStartObject("properties");
        json.WriteString("kernel", finding.Kernel.Profile.Name);
        json.WriteString("object", finding.File);
        json.WriteString("section", finding.Said.Prog.SectionName);
        json.WriteString("verdict", VerdictWords.Of(result.Verdict));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WritePath(Utf8JsonWriter json, Finding finding, IReadOnlyList<StoryStep> steps)
    {
        json.WriteStartArray("relatedLocations");
        foreach (var note in steps.Where(s => s.IsNote))
        {
            WriteLocation(json, finding, note, note.Text);
        }

        json.WriteEndArray();
        json.WriteStartArray("codeFlows");
        json.WriteStartObject();
        json.WriteStartArray("threadFlows");
        json.WriteStartObject();
        json.WriteStartArray("locations");
        foreach (var (at, step) in steps.Index())
        {
            json.WriteStartObject();
            json.WriteStartArray("kinds");
            json.WriteStringValue(VerdictWords.Of(step.Kind));
            json.WriteEndArray();
            json.WriteNumber("executionOrder", at + 1);
            json.WriteString("importance", step.IsNote || step.Kind == StoryStepKind.Fault ? "essential" : "important");
            json.WritePropertyName("location");
            WriteLocation(json, finding, step, step.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private void WriteLocation(Utf8JsonWriter json, Finding finding, StoryStep? step, string? message)
    {
        json.WriteStartObject();
        WriteArtifact(
            json, step?.File is { } source ? paths.OfSource(source, finding.File) : paths.Of(finding.File), step);
        json.WriteStartArray("logicalLocations");
        json.WriteStartObject();
        json.WriteString("name", finding.Said.Prog.Name);
        json.WriteString("kind", "function");
        if (step is not null)
        {
            json.WriteString("fullyQualifiedName", $"{finding.Said.Prog.Name}:insn {step.InsnIdx}");
        }

        json.WriteEndObject();
        json.WriteEndArray();
        if (message is not null)
        {
            WriteText(json, "message", message);
        }

        json.WriteEndObject();
    }

    private static void WriteArtifact(Utf8JsonWriter json, string path, StoryStep? step)
    {
        json.WriteStartObject("physicalLocation");
        json.WriteStartObject("artifactLocation");
        json.WriteString("uri", UriOf(path));
        json.WriteEndObject();
        if (step?.Line is { } line)
        {
            json.WriteStartObject("region");
            json.WriteNumber("startLine", line);
            if (step.Column is { } column)
            {
                json.WriteNumber("startColumn", column);
            }

            if (step.SourceText is { Length: > 0 } text)
            {
                WriteText(json, "snippet", text);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter json, string name, string text)
    {
        json.WriteStartObject(name);
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    private static string UriOf(string path) => Path.IsPathRooted(path)
        ? new Uri(path).AbsoluteUri
        : string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    private static string Version => typeof(SarifVerdictWriter).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0.0.0";
}
