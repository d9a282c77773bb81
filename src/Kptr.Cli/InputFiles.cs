using System.CommandLine;
using System.IO.Enumeration;
using Kptr.Diagnostics;

namespace Kptr.Cli;

/// <summary>The files that arguments stand for.</summary>
internal static class InputFiles
{
    private static readonly EnumerationOptions Below = new()
    {
        RecurseSubdirectories = true, MaxRecursionDepth = 16, IgnoreInaccessible = true,
    };

    private static readonly EnumerationOptions Flat = new() { IgnoreInaccessible = true };
    private static readonly char[] Separators = [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar];
    private const StringSplitOptions NoEmpty = StringSplitOptions.RemoveEmptyEntries;

    /// <summary>
    /// A file is itself; a directory is all <c>*.o</c> in and below it; a pattern (<c>*</c> and <c>?</c> in any part
    /// of a path, <c>**</c> for folders at any depth), where a shell has not expanded it, is what it matches.
    /// </summary>
    /// <returns>
    /// Each file once, where it comes first. A directory or pattern without files is one with a fault: a check of no
    /// files must not pass.
    /// </returns>
    public static IReadOnlyList<InputFile> Expand(IEnumerable<string> arguments) =>
        [.. arguments.SelectMany(Expand).DistinctBy(f => Path.GetFullPath(f.Path))];

    /// <summary>An argument of files does not take what looks like an option and is no file.</summary>
    public static void RefuseOptions(Argument<string[]> files, Command command) => files.Validators.Add(r =>
    {
        foreach (var word in r.Tokens.Select(t => t.Value).Where(w => w.StartsWith('-') && !File.Exists(w)))
        {
            var name = word.Split('=')[0];
            r.AddError($"{command.Name} has no option '{name}'; "
                + NearNames.Text(name, command.Options.Select(o => o.Name)));
        }
    });

    private static IEnumerable<InputFile> Expand(string argument)
    {
        if (Directory.Exists(argument))
        {
            return Sorted(ObjectsBelow(argument), argument, "no *.o in this directory");
        }

        return File.Exists(argument) || argument.AsSpan().IndexOfAny('*', '?') < 0
            ? [new(argument, null)]
            : Sorted(Matching(argument), argument, "nothing matches this pattern");
    }

    // Links to folders are not followed: they may lead back, or out to everything (/proc/self/root).
    private static FileSystemEnumerable<string> ObjectsBelow(string folder) =>
        new(folder, static (ref FileSystemEntry e) => e.ToSpecifiedFullPath(), Below)
        {
            ShouldIncludePredicate = static (ref FileSystemEntry e) =>
                !e.IsDirectory && e.FileName.EndsWith(".o", StringComparison.Ordinal),
            ShouldRecursePredicate = IsNoLink,
        };

    private static FileSystemEnumerable<string> FoldersBelow(string folder) =>
        new(folder, static (ref FileSystemEntry e) => e.ToSpecifiedFullPath(), Below)
        {
            ShouldIncludePredicate = static (ref FileSystemEntry e) => e.IsDirectory && IsNoLink(ref e),
            ShouldRecursePredicate = IsNoLink,
        };

    private static bool IsNoLink(ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0;

    private static IEnumerable<string> Matching(string pattern)
    {
        var root = Path.GetPathRoot(pattern) ?? "";
        return Matching(root, pattern[root.Length..].Split(Separators, NoEmpty));
    }

    private static IEnumerable<string> Matching(string folder, ReadOnlyMemory<string> parts)
    {
        var (here, first) = (folder.Length > 0 ? folder : ".", parts.Span[0]);
        if (!Directory.Exists(here))
        {
            return [];
        }

        if (parts.Length == 1)
        {
            return Directory.EnumerateFiles(here, first, Flat).Select(f => Path.Combine(folder, Path.GetFileName(f)));
        }

        IEnumerable<string> folders = first switch
        {
            "**" => FoldersBelow(here)
                .Select(d => Path.Combine(folder, Path.GetRelativePath(here, d))).Prepend(folder),
            _ when first.AsSpan().IndexOfAny('*', '?') < 0 => [Path.Combine(folder, first)],
            _ => Directory.EnumerateDirectories(here, first, Flat)
                .Select(d => Path.Combine(folder, Path.GetFileName(d))),
        };
        return folders.SelectMany(f => Matching(f, parts[1..]));
    }

    private static List<InputFile> Sorted(IEnumerable<string> files, string argument, string fault)
    {
        List<InputFile> sorted = [.. files.Order(StringComparer.Ordinal).Select(f => new InputFile(f, FaultOf(f)))];
        return sorted.Count > 0 ? sorted : [new(argument, Unreadable(argument, fault))];
    }

    // Who names a pipe waits for what comes out of it; one that is merely met in a folder must not hold up the others.
    // Pipes, sockets and devices have no length.
    private static Diagnostic? FaultOf(string file)
    {
        try
        {
            var info = new FileInfo(file);
            var target = (FileInfo?)info.ResolveLinkTarget(returnFinalTarget: true) ?? info;
            return target is { Exists: true, Length: 0 } ? Unreadable(file, "is empty, or no regular file") : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unreadable(file, e.Message);
        }
    }

    private static Diagnostic Unreadable(string file, string fault) =>
        new(DiagCode.FileUnreadable, fault) { File = file };
}

/// <summary>A file to read.</summary>
/// <param name="Path">As it was given, or below what was given.</param>
/// <param name="Fault">Why there is nothing to read; null where reading will tell.</param>
internal sealed record InputFile(string Path, Diagnostic? Fault)
{
    /// <exception cref="DiagnosticException">There is nothing to read.</exception>
    public void ThrowIfFault()
    {
        if (Fault is not null)
        {
            throw new DiagnosticException([Fault]);
        }
    }
}
