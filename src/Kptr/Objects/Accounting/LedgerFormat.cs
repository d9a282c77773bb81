using System.Globalization;
using System.Text;
using System.Text.Json;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>Snapshots as text, JSON and graphs.</summary>
internal static class LedgerFormat
{
    private const string RecycledHeading = "in memory that maps recycle, given back with the map:";

    internal static string Text(LedgerSnapshot snapshot)
    {
        var text = new StringBuilder();
        foreach (var obj in snapshot.Entries.GroupBy(e => (e.Address, e.Object)))
        {
            text.Append(obj.Key.Object).Append(CultureInfo.InvariantCulture, $": {obj.Count()}").AppendLine();
            foreach (var entry in obj.Where(e => !e.Holder.IsRecycled))
            {
                text.Append("  ").Append(entry).AppendLine();
            }
        }

        text.AppendJoin("", Recycled(snapshot.Recycled).Select(line => line + Environment.NewLine));
        return text.ToString();
    }

    /// <summary>The section of what maps recycle: a heading and a line each; nothing where there is none.</summary>
    internal static IEnumerable<string> Recycled(IEnumerable<LedgerEntry> entries)
    {
        var lines = entries.Select(e => $"  {e.Object} is held by {e}").ToList();
        return lines.Count == 0 ? [] : [RecycledHeading, .. lines];
    }

    internal static string Json(LedgerSnapshot snapshot)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartArray();
            foreach (var e in snapshot.Entries)
            {
                json.WriteStartObject();
                json.WriteNumber("ref", e.RefId);
                json.WriteString("type", e.TypeName);
                json.WriteString("object", e.Object);
                json.WriteString("holder_kind", e.Holder.Kind);
                json.WriteString("holder", e.Holder.ToString());
                json.WriteString("acquired_at", e.AcquiredAt.IsKnown ? e.AcquiredAt.ToString() : null);
                json.WriteString("held_since", e.HeldSince.IsKnown ? e.HeldSince.ToString() : null);
                json.WriteNumber("acquired_ns", e.AcquiredNs);
                json.WriteNumber("size_bytes", e.SizeBytes);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    internal static string Html(LedgerSnapshot snapshot, string title)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("summary", LedgerPage.Summary(snapshot));
            LedgerPage.Write(json, snapshot);
            json.WriteEndObject();
        }

        return ReportPage.Make(title, Encoding.UTF8.GetString(stream.ToArray()));
    }

    internal static string Mermaid(LedgerSnapshot snapshot, bool withKernel) => Graph(
        snapshot,
        withKernel,
        "graph LR\n",
        (id, label, isObject) => isObject ? $"  {id}[\"{Escape(label)}\"]\n" : $"  {id}([\"{Escape(label)}\"])\n",
        (from, to, label) => label.Length == 0 ? $"  {from} --> {to}\n" : $"  {from} -->|\"{Escape(label)}\"| {to}\n",
        "");

    internal static string Dot(LedgerSnapshot snapshot, bool withKernel) => Graph(
        snapshot,
        withKernel,
        "digraph ledger {\n  rankdir=LR;\n",
        (id, label, isObject) => $"  {id} [label=\"{EscapeDot(label)}\"{(isObject ? ", shape=box" : "")}];\n",
        (from, to, label) => $"  {from} -> {to}{(label.Length == 0 ? "" : $" [label=\"{EscapeDot(label)}\"]")};\n",
        "}\n");

    // Names come from programs: a quote or a backslash would end a label, a line's end the statement.
    private static string Escape(string text) =>
        text.Replace("\"", "#quot;", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private static string EscapeDot(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .ReplaceLineEndings(" ");

    private static string Graph(
        LedgerSnapshot snapshot,
        bool withKernel,
        string head,
        Func<string, string, bool, string> node,
        Func<string, string, string, string> edge,
        string tail)
    {
        var text = new StringBuilder(head);
        var objects = new Dictionary<ulong, string>();
        var holders = new Dictionary<string, string>();
        foreach (var e in snapshot.Entries.Where(e => withKernel || !e.Holder.IsKernel))
        {
            if (!objects.TryGetValue(e.Address, out var to))
            {
                objects[e.Address] = to = $"o{objects.Count}";
                text.Append(node(to, e.Object, true));
            }

            var holder = e.Holder.ToString();
            if (!holders.TryGetValue(holder, out var from))
            {
                holders[holder] = from = $"h{holders.Count}";
                text.Append(node(from, holder, false));
            }

            text.Append(edge(from, to, e.AcquiredAt.IsKnown ? e.AcquiredAt.ToString() : ""));
        }

        return text.Append(tail).ToString();
    }
}
