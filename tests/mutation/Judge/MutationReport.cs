using System.Text.Json;
using System.Text.RegularExpressions;

namespace Kptr.Mutation;

/// <summary>One change that Stryker made.</summary>
/// <param name="Id">What switches it on.</param>
/// <param name="File">Below <c>src/Kptr</c>.</param>
/// <param name="Line">Where it begins, from 1.</param>
/// <param name="Was">What stood there: of several lines the first.</param>
/// <param name="Is">What stands there instead.</param>
internal sealed record Mutant(int Id, string File, int Line, string Was, string Is);

/// <summary>Stryker's report of what it changed; what it says of the tests is not used.</summary>
internal static class MutationReport
{
    // What it says of a change that it compiled. Others are left out, such as those that do not compile.
    private static readonly string[] s_compiled =
        ["Survived", "NoCoverage", "Killed", "Timeout", "RuntimeError", "Pending"];

    public static List<Mutant> Read(string path, string files)
    {
        using var report = JsonDocument.Parse(File.ReadAllText(path));
        var mutants = new List<Mutant>();
        foreach (var file in report.RootElement.GetProperty("files").EnumerateObject())
        {
            var name = file.Name.Replace('\\', '/').Split("/src/Kptr/")[^1];
            if (!Regex.IsMatch(name, files))
            {
                continue;
            }

            var lines = file.Value.GetProperty("source").GetString()!.Split('\n');
            mutants.AddRange(file.Value.GetProperty("mutants").EnumerateArray()
                .Where(m => s_compiled.Contains(m.GetProperty("status").GetString()))
                .Select(m => Of(name, lines, m)));
        }

        return [.. mutants.OrderBy(m => m.File, StringComparer.Ordinal).ThenBy(m => m.Line).ThenBy(m => m.Id)];
    }

    private static Mutant Of(string file, string[] lines, JsonElement mutant)
    {
        var start = mutant.GetProperty("location").GetProperty("start");
        var end = mutant.GetProperty("location").GetProperty("end");
        var (line, column) = (start.GetProperty("line").GetInt32(), start.GetProperty("column").GetInt32());
        var text = lines[line - 1];
        var until = end.GetProperty("line").GetInt32() == line ? end.GetProperty("column").GetInt32() - 1 : text.Length;
        return new(
            int.Parse(mutant.GetProperty("id").GetString()!, System.Globalization.CultureInfo.InvariantCulture),
            file, line, text[(column - 1)..until].Trim(), mutant.GetProperty("replacement").GetString() ?? "");
    }
}
