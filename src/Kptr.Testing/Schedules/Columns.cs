using System.Text;

namespace Kptr.Testing.Schedules;

/// <summary>Prints a schedule: a line a step, a column a thread.</summary>
internal static class Columns
{
    private const int Width = 46;
    private const int RowsMax = 200;

    internal static string Of(Scheduler scheduler, IReadOnlyList<Turn> turns, string failure)
    {
        var rows = Rows(scheduler, [.. turns]);
        var threads = rows.Count == 0 ? 1 : rows.Max(r => r.Thread) + 1;
        var text = new StringBuilder();
        for (var i = 0; i < threads; i++)
        {
            text.Append($"thread {i}".PadRight(Width)).Append(i == threads - 1 ? "\n" : "| ");
        }

        foreach (var (thread, cell) in rows.Count <= RowsMax ? rows : rows.TakeLast(RowsMax))
        {
            for (var i = 0; i < threads; i++)
            {
                text.Append((i == thread ? Fit(cell) : "").PadRight(Width)).Append(i == threads - 1 ? "\n" : "| ");
            }
        }

        return string.Join('\n', text.Append(failure).ToString().Split('\n').Select(l => l.TrimEnd()));
    }

    private static string Fit(string cell) => cell.Length < Width ? cell : cell[..(Width - 4)] + "...";

    private static List<(int Thread, string Cell)> Rows(Scheduler scheduler, HashSet<Turn> turns)
    {
        var rows = new List<(int Thread, string Cell)>();
        var files = new Dictionary<string, string[]>();
        var lastPlace = "";
        foreach (var (thread, step, number) in scheduler.Trace)
        {
            if (number < 0)
            {
                rows.Add((thread, $"-- interrupt {-1 - number} comes in"));
                lastPlace = "";
                continue;
            }

            foreach (var turn in turns.Where(t => t.Thread == thread && t.Step == step
                && t.Option.Kind is OptionKind.Hold or OptionKind.Fail))
            {
                rows.Add((thread, turn.Option.Kind == OptionKind.Hold
                    ? "-- the next store stays in the store buffer" : "-- fails here"));
                lastPlace = "";
            }

            var site = scheduler.Sites[number];
            var place = $"{thread} {site.Place}";
            if (!scheduler.MetSites.Contains(number) || place == lastPlace)
            {
                continue;
            }

            lastPlace = place;
            rows.Add((thread, $"{site.Place} {Source(site, files)}"));
        }

        return rows;
    }

    private static string Source(Site site, Dictionary<string, string[]> files)
    {
        if (site.File is null)
        {
            return site.What;
        }

        if (!files.TryGetValue(site.File, out var lines))
        {
            files[site.File] = lines = File.Exists(site.File) ? File.ReadAllLines(site.File) : [];
        }

        // The compiler gives some locks the line of the statement before.
        var line = site.Line > 0 && site.Line <= lines.Length ? lines[site.Line - 1].Trim() : site.What;
        var isOther = site.Kind == SiteKind.Lock && !line.Contains("lock", StringComparison.OrdinalIgnoreCase);
        return isOther ? site.What : line;
    }
}
