using System.Globalization;
using Kptr.Diagnostics;

namespace Kptr.Cli.Explain;

/// <summary>What one code means.</summary>
/// <param name="Code">The code.</param>
/// <param name="Summary">One sentence.</param>
/// <param name="Lines">The page: what it is, a program that earns it, the program mended. Markdown.</param>
internal sealed record CodePage(DiagCode Code, string Summary, IReadOnlyList<string> Lines);

/// <summary>The pages of <c>docs/diagnostics.md</c>, which the tool carries.</summary>
internal static class CodePages
{
    private static readonly Lazy<Dictionary<DiagCode, CodePage>> Pages = new(Read);

    /// <summary>All codes that have a page, by number.</summary>
    public static IEnumerable<DiagCode> Codes => Pages.Value.Keys.Order();

    /// <returns>Null where the code has no page.</returns>
    public static CodePage? Find(DiagCode code) => Pages.Value.GetValueOrDefault(code);

    private static Dictionary<DiagCode, CodePage> Read()
    {
        using var stream = typeof(CodePages).Assembly.GetManifestResourceStream("diagnostics.md")!;
        using var reader = new StreamReader(stream);
        var pages = new Dictionary<DiagCode, CodePage>();
        var page = new List<string>();
        var code = DiagCode.None;
        while (reader.ReadLine() is { } line)
        {
            // A page begins at its heading and ends before the next one; the rest is in tables, a line each.
            if (line.StartsWith('#'))
            {
                Add(pages, code, page);
                page = [];
                code = line.StartsWith("### ", StringComparison.Ordinal) && line.EndsWith(')')
                    ? CodeOf(line[(line.LastIndexOf('(') + 1)..^1]) : DiagCode.None;
            }
            else if (line.Split('|', StringSplitOptions.TrimEntries) is ["", var number, _, var text, _, ""]
                && CodeOf(number) is var row and not DiagCode.None)
            {
                pages[row] = new(row, text, [text]);
            }
            else if (page.Count > 0 || line.Length > 0)
            {
                page.Add(line);
            }
        }

        Add(pages, code, page);
        return pages;
    }

    private static void Add(Dictionary<DiagCode, CodePage> pages, DiagCode code, List<string> page)
    {
        if (code != DiagCode.None)
        {
            pages[code] = new(code, page[0], page);
        }
    }

    private static DiagCode CodeOf(string number) =>
        int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
        && Enum.IsDefined((DiagCode)value) ? (DiagCode)value : DiagCode.None;
}
