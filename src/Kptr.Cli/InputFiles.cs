namespace Kptr.Cli;

/// <summary>The files that arguments stand for.</summary>
internal static class InputFiles
{
    private static readonly EnumerationOptions Below = new()
    {
        RecurseSubdirectories = true, MaxRecursionDepth = 16, IgnoreInaccessible = true,
    };

    /// <summary>
    /// A file is itself; a directory is all <c>*.o</c> in and below it; a pattern (<c>*</c>, <c>?</c> in the last part
    /// of a path), where a shell has not expanded it, is what it matches. What is none of these is left as it is, for
    /// its reader to complain about.
    /// </summary>
    internal static IEnumerable<string> Expand(IEnumerable<string> arguments) => arguments.SelectMany(Expand);

    private static IEnumerable<string> Expand(string argument)
    {
        if (Directory.Exists(argument))
        {
            return Sorted(Directory.EnumerateFiles(argument, "*.o", Below), argument);
        }

        var folder = Path.GetDirectoryName(argument);
        var pattern = Path.GetFileName(argument);
        return !File.Exists(argument) && pattern.AsSpan().IndexOfAny('*', '?') >= 0
            && (string.IsNullOrEmpty(folder) || Directory.Exists(folder))
                ? Sorted(Directory.EnumerateFiles(string.IsNullOrEmpty(folder) ? "." : folder, pattern), argument)
                : [argument];
    }

    // Nothing found is an error of its reader too: a check of no files must not pass.
    private static List<string> Sorted(IEnumerable<string> files, string argument)
    {
        List<string> sorted = [.. files.Order(StringComparer.Ordinal)];
        return sorted.Count > 0 ? sorted : [argument];
    }
}
