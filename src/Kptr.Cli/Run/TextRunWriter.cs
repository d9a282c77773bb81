using System.Globalization;
using Kptr.Cli.Output;

namespace Kptr.Cli.Run;

/// <summary>What a run did and left behind, for a person.</summary>
internal static class TextRunWriter
{
    private const int CellMax = 48;
    private const int PinsShown = 50;

    public static void Write(Screen screen, RunSession session, RunReport report)
    {
        screen.Hanging(2, Ink.Strong($"{Path.GetFileName(report.File)}"), $" on {report.Kernel}");
        WritePrograms(screen, report);
        foreach (var (title, lines) in Texts(session, report))
        {
            Section(screen, title, lines);
        }

        foreach (var map in report.Maps.Where(m => m.Rows.Count > 0 || m.Map.Spec.MaxEntries > 1))
        {
            WriteMap(screen, map);
        }

        WritePins(screen, report);
        if (session.FaultCount > 0)
        {
            Title(screen, Ink.Bad($"{session.FaultCount} faults"));
            foreach (var fault in session.Faults)
            {
                screen.Hanging(4, $"  {fault}");
            }
        }

        WriteEnd(screen, session);
    }

    // What is lost now that the object is gone.
    private static void WriteEnd(Screen screen, RunSession session)
    {
        screen.Line();
        if (session.Lost.Count == 0)
        {
            screen.Hanging(2, Ink.Good("all references are back"), " after the object was closed");
            return;
        }

        screen.Hanging(2, Ink.Bad($"{session.Lost.Count} references are lost:"));
        foreach (var entry in session.Lost)
        {
            screen.Hanging(4, $"  {entry.Object}: {entry}");
        }
    }

    private static void WritePrograms(Screen screen, RunReport report)
    {
        Title(screen, "programs");
        var width = report.Programs.Select(p => p.Program.Name.Length).DefaultIfEmpty().Max();
        foreach (var (program, hook) in report.Programs)
        {
            var stats = program.Stats;
            var at = hook is null ? "not attached" : $"at {hook}";
            screen.Hanging(width + 4, "  ", Ink.Strong(program.Name.PadRight(width)),
                Invariant($"  {at}, ran {stats.RunCount} times")
                    + (stats.RunCount > 0 ? Invariant($", {stats.AverageNs:0} ns a run") : ""));
        }
    }

    /// <summary>What is told in lines, with a title each; what there is nothing of is left out.</summary>
    public static IEnumerable<(string Title, IReadOnlyList<string> Lines)> Texts(RunSession session, RunReport report)
    {
        (string, IReadOnlyList<string>)[] texts =
        [
            ("what the machine did not show", session.Gaps),
            ("trace", session.Replay?.ToString().TrimEnd().Split('\n') ?? []),
            ("this machine", session.Followed?.ToString().Split('\n') ?? []),
            ("test run", session.Tested is not { } tested ? []
                : tested.Fault is { } fault ? [$"fault: {fault.Message} ({fault.Code})"]
                : [Invariant($"returned {tested.ReturnValue}")]),
            ("printed", report.Printed),
        ];
        return texts.Where(t => t.Item2.Count > 0);
    }

    private static void WriteMap(Screen screen, MapTable table)
    {
        var map = table.Map;
        Title(screen, $"map {map.Name}");
        var names = table.Rows.SelectMany(r => r.Fields.Select(f => f.Field)).Distinct().ToList();
        string[][] lines =
        [
            ["key", .. names],
            .. table.Rows.Select(r => (string[])
            [
                Cell(r.Key), .. names.Select(n => Cell(r.Fields.FirstOrDefault(f => f.Field == n).Text ?? "")),
            ]),
        ];
        var widths = Enumerable.Range(0, names.Count + 1).Select(c => lines.Max(l => l[c].Length)).ToArray();
        foreach (var (at, line) in (table.Rows.Count == 0 ? [] : lines).Index())
        {
            var text = string.Join("  ", line.Select((cell, c) => cell.PadRight(widths[c]))).TrimEnd();
            screen.Line("  ", at == 0 ? Ink.Quiet(text) : text);
        }

        var rest = table.IsCut ? "  ... and more; --rows shows them"
            : table.EmptyRows > 0 ? Invariant($"  {table.EmptyRows} elements are zero")
            : table.Rows.Count == 0 ? "  empty" : "";
        if (rest.Length > 0)
        {
            screen.Line(Ink.Quiet(rest));
        }
    }

    private static void WritePins(Screen screen, RunReport report)
    {
        var objects = report.Pins.GroupBy(e => (e.Address, e.Object)).ToList();
        Title(screen, "who pins what");
        foreach (var pinned in objects.Take(PinsShown))
        {
            screen.Hanging(4, "  ", Ink.Strong(pinned.Key.Object), Invariant($", {pinned.First().SizeBytes} bytes"));
            foreach (var entry in pinned)
            {
                screen.Hanging(6, $"    {entry}");
            }
        }

        if (objects.Count == 0)
        {
            screen.Line("  nothing is pinned");
            return;
        }

        if (objects.Count > PinsShown)
        {
            screen.Line(Ink.Quiet(
                Invariant($"  ... and {objects.Count - PinsShown} more objects; --format json has all")));
        }

        Title(screen, "what that costs");
        var ledger = report.Ledger;
        var total = objects.Sum(o => o.First().SizeBytes);
        screen.Line(Invariant($"  {total} bytes of {objects.Count} objects"));
        foreach (var (name, bytes) in ledger.PinnedBytesByMap())
        {
            screen.Hanging(4, Invariant($"  {bytes,10} by map {name}"));
        }

        foreach (var (site, bytes) in ledger.PinnedBytesBySite().OrderByDescending(s => s.Value))
        {
            screen.Hanging(4, Invariant($"  {bytes,10} by references taken at {site}"));
        }
    }

    private static void Section(Screen screen, string title, IReadOnlyList<string> lines)
    {
        if (lines.Count > 0)
        {
            Title(screen, title);
            foreach (var line in lines)
            {
                screen.Hanging(4, $"  {line}");
            }
        }
    }

    private static void Title(Screen screen, Ink title)
    {
        screen.Line();
        screen.Line(title with { Text = title.Text + ":" });
    }

    private static void Title(Screen screen, string title) => Title(screen, Ink.Strong(title));

    private static string Cell(string text) => text.Length <= CellMax ? text : text[..(CellMax - 3)] + "...";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
