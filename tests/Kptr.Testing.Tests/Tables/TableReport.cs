using System.Text;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Tables;

/// <summary>
/// The table of answers to read: what each operation answers, what it gives back, and which cells cannot be.
/// </summary>
internal static class TableReport
{
    internal static string Write(IReadOnlyDictionary<string, IReadOnlyList<MapCell>> maps)
    {
        var all = maps.Values.SelectMany(c => c).ToList();
        var run = all.Where(c => c.WhyNot is null).ToList();
        var text = new StringBuilder();
        text.AppendLine("# What every map operation does to kptrs").AppendLine();
        text.AppendLine(
            "Made from a run of `MapConformance` (its check `Table`) over Kptr's own maps; `KPTR_UPDATE_DOCS=1` writes "
                + "it anew. `dotnet test` carries out");
        text.AppendLine(
            "one cell in ten, with `KPTR_SWEEP=all` each: map type × operation × flags × fields of the value × "
                + "context × policy. `eager` is Linux 6.12, `recycle` is 7.2.")
            .AppendLine();
        text.AppendLine(
            "Each cell is carried out on a map of its own. Checked are the errno, "
                + "the references given back once everything deferred has run,");
        text.AppendLine(
            "that after every step each reference is in exactly one place and each slot of the map accounted for, "
                + "which timers and work items still run,");
        text.AppendLine(
            "and that freeing the map runs every destructor once. Values with a `uptr` are refused everywhere, as user "
                + "pages are not modelled.")
            .AppendLine();
        text.AppendLine(
            $"{all.Count} cells: {run.Count(c => !c.IsRefused)} are carried out, "
                + $"{run.Count(c => c.IsRefused)} end with the map's creation (`-EOPNOTSUPP`), "
                + $"{all.Count - run.Count} cannot be.");
        AppendReasons(text, all);
        AppendFields(text, maps);
        foreach (var (name, cells) in maps)
        {
            AppendMap(text, name, [.. cells.Where(c => c.WhyNot is null && !c.IsRefused)]);
        }

        return text.ToString().ReplaceLineEndings("\n");
    }

    private static void AppendReasons(StringBuilder text, IEnumerable<MapCell> all)
    {
        text.AppendLine().AppendLine("## Cells that cannot be").AppendLine();
        text.AppendLine("| why | cells |").AppendLine("|---|---:|");
        foreach (var reason in all.GroupBy(c => c.WhyNot).Where(g => g.Key is not null).OrderBy(
            g => g.Key, StringComparer.Ordinal))
        {
            text.AppendLine($"| {reason.Key} | {reason.Count()} |");
        }
    }

    private static void AppendFields(StringBuilder text, IReadOnlyDictionary<string, IReadOnlyList<MapCell>> maps)
    {
        text.AppendLine().AppendLine("## Maps and the fields their values may have").AppendLine();
        text.AppendLine("| map | created | refused with `-EOPNOTSUPP` |").AppendLine("|---|---|---|");
        foreach (var (name, cells) in maps)
        {
            var fields = cells.Where(c => c.WhyNot is null).GroupBy(c => c.Fields)
                .ToLookup(g => g.First().IsRefused, g => g.Key);
            text.AppendLine($"| {name} | {string.Join(", ", fields[false])} | {string.Join(", ", fields[true])} |");
        }
    }

    private static void AppendMap(StringBuilder text, string name, IReadOnlyList<MapCell> cells)
    {
        text.AppendLine().AppendLine($"## {name}").AppendLine();
        text.AppendLine(
            "| operation | flags | from | errno eager | errno recycle | given back eager | given back recycle |");
        text.AppendLine("|---|---|---|---|---|---|---|");
        var rows = cells.GroupBy(c => (c.Operation, c.Flags, c.From))
            .GroupBy(g => (g.Key.Operation, Answer: Answers([.. g])), g => (g.Key.Flags, g.Key.From))
            .SelectMany(g => g.GroupBy(c => c.Flags, c => c.From)
                .GroupBy(f => string.Join(", ", f), f => f.Key)
                .Select(c => $"| {g.Key.Operation} | {string.Join("; ", c)} | {c.Key} | {g.Key.Answer} |"));
        foreach (var row in rows)
        {
            text.AppendLine(row);
        }
    }

    // Cells that differ in fields and policy only.
    private static string Answers(List<MapCell> like)
    {
        var eager = like.FindAll(c => c.Policy == DestroyBehavior.Eager);
        var recycle = like.FindAll(c => c.Policy == DestroyBehavior.Recycle);
        return $"{Errnos(eager)} | {Errnos(recycle)} | {GivenBack(eager)} | {GivenBack(recycle)}";
    }

    private static string Errnos(List<MapCell> cells)
    {
        var kinds = cells.Select(c => (c.Errno, c.HasLock, IsPlain: c.Fields == "None")).Distinct().ToList();
        var errnos = kinds.Select(k => k.Errno).Distinct().ToList();
        return errnos.Count switch
        {
            0 => "-",
            1 => Text(errnos[0]),
            _ when errnos.All(e => kinds.Where(k => k.Errno == e).Select(k => k.HasLock).Distinct().Count() == 1) =>
                string.Join(", ", kinds.DistinctBy(k => k.HasLock).OrderBy(k => k.HasLock).Select(
                    k => $"{Text(k.Errno)}{(k.HasLock ? " with a lock" : "")}")),
            _ => string.Join(", ", kinds.DistinctBy(k => k.IsPlain).OrderBy(k => k.IsPlain).Select(
                k => $"{Text(k.Errno)}{(k.IsPlain ? " without fields" : "")}")),
        };
    }

    // In parts of what the value owned, all CPUs together.
    private static string GivenBack(List<MapCell> cells)
    {
        var parts = cells.Where(c => c.Owned > 0).Select(c => c.GivenBack switch
        {
            0 => "nothing",
            var n when n == c.OwnedByAllCpus => "all",
            _ => "one CPU's",
        }).Distinct().ToList();
        return parts.Count == 0 ? "-" : string.Join(" or ", parts.Order(StringComparer.Ordinal));
    }

    private static string Text(Errno errno) => errno == Errno.None ? "0" : $"-{errno}";
}
