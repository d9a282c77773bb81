namespace Kptr.KernelSelftests;

/// <summary>One line of the table of what a real kernel said: columns by the names of the first line.</summary>
public sealed class ExpectedRow(Dictionary<string, int> columns, string[] cells)
{
    public string this[string column] => columns.TryGetValue(column, out var at) && at < cells.Length ? cells[at] : "";

    public string Object => this["object"];

    public string Program => this["program"];
}

/// <summary>Reads tab-separated tables with a heading.</summary>
public static class ExpectedTable
{
    public static IReadOnlyList<ExpectedRow> Read(string path)
    {
        var lines = File.ReadAllLines(path);
        var columns = lines[0].Split('\t').Select((name, at) => (name, at)).ToDictionary(c => c.name, c => c.at);
        return [.. lines.Skip(1).Where(l => l.Length > 0).Select(l => new ExpectedRow(columns, l.Split('\t')))];
    }
}
