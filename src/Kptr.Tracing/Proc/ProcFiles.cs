using System.Globalization;
using System.Text;

namespace Kptr.Tracing.Proc;

/// <summary>Reads small files of <c>/proc</c>, and keeps count of what cannot be read.</summary>
/// <param name="tree">Where they are; null for this machine's folders.</param>
internal sealed class ProcFiles(ProcTree? tree = null)
{
    private const int FileBytesMax = 1024 * 1024;
    private readonly Dictionary<string, (int Count, string First)> _gaps = [];
    private readonly ProcTree _tree = tree ?? new ProcFolders();

    /// <summary>Where they are.</summary>
    internal ProcTree Tree => _tree;

    internal IReadOnlyList<ProcGap> Gaps => [.. _gaps
        .OrderBy(g => g.Key, StringComparer.Ordinal)
        .Select(g => new ProcGap(g.Key, g.Value.Count, g.Value.First))];

    /// <summary>The text of a file; null, and counted, where it cannot be read.</summary>
    internal string? Read(string path, string what)
    {
        try
        {
            using var file = new StreamReader(_tree.Open(path));
            var text = new char[4096];
            var all = new StringBuilder();
            while (file.Read(text) is > 0 and var count && all.Length < FileBytesMax)
            {
                all.Append(text.AsSpan(0, count));
            }

            return all.ToString();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Miss(what, error, path);
            return null;
        }
    }

    /// <summary>The numbers that are names of folders here; none, and counted, where it cannot be read.</summary>
    internal IReadOnlyList<int> Numbers(string folder, string what)
    {
        List<int> numbers = [];
        foreach (var name in Folders(folder, what))
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                numbers.Add(number);
            }
        }

        numbers.Sort();
        return numbers;
    }

    /// <summary>The names in a folder that are numbers, with what each links to.</summary>
    internal IReadOnlyList<ProcFile> Links(string folder, string what)
    {
        List<ProcFile> links = [];
        try
        {
            foreach (var name in _tree.Names(folder, foldersOnly: false))
            {
                if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                    && _tree.TargetOf($"{folder}/{name}") is { } target)
                {
                    links.Add(new(number, target));
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Miss(what, error, folder);
        }

        links.Sort((a, b) => a.Fd.CompareTo(b.Fd));
        return links;
    }

    /// <summary>The names of folders here; none, and counted, where it cannot be read.</summary>
    internal IReadOnlyList<string> Folders(string folder, string what)
    {
        try
        {
            return [.. _tree.Names(folder, foldersOnly: true)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Miss(what, error, folder);
            return [];
        }
    }

    internal void Miss(string what, string path)
    {
        var (count, first) = _gaps.GetValueOrDefault(what, (0, path));
        _gaps[what] = (count + 1, first);
    }

    // What has ended while it was read is not there in the kernel's own words, and ESRCH is an IOException.
    private void Miss(string what, Exception error, string path) => Miss(
        error is UnauthorizedAccessException ? $"{what} not permitted"
        : error is FileNotFoundException or DirectoryNotFoundException ? $"{what} not there (any more)"
        : $"{what} not readable", path);
}
