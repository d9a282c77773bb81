using System.Globalization;
using System.Text;

namespace Kptr.Tracing.Proc;

/// <summary>Reads small files of <c>/proc</c>, and keeps count of what cannot be read.</summary>
internal sealed class ProcFiles
{
    private const int FileBytesMax = 1024 * 1024;
    private readonly Dictionary<string, (int Count, string First)> _gaps = [];

    internal IReadOnlyList<ProcGap> Gaps => [.. _gaps
        .OrderBy(g => g.Key, StringComparer.Ordinal)
        .Select(g => new ProcGap(g.Key, g.Value.Count, g.Value.First))];

    /// <summary>The text of a file; null, and counted, where it cannot be read.</summary>
    internal string? Read(string path, string what)
    {
        try
        {
            using var file = new StreamReader(path);
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
        foreach (var path in Folders(folder, what))
        {
            if (int.TryParse(
                Path.GetFileName(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
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
            foreach (var path in Directory.GetFileSystemEntries(folder))
            {
                if (int.TryParse(Path.GetFileName(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture,
                    out var number) && TargetOf(path) is { } target)
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

    /// <summary>What a link says; null where it cannot be read or is none.</summary>
    internal static string? TargetOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    internal IReadOnlyList<string> Folders(string folder, string what)
    {
        try
        {
            return Directory.GetDirectories(folder);
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
