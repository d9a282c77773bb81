namespace Kptr.Cli.Check;

/// <summary>
/// What readers of reports find files by: paths from the current folder, with slashes, wherever a file is below it.
/// </summary>
internal sealed class SourcePaths(string folder)
{
    /// <summary>A file that was given to the tool.</summary>
    public string Of(string path)
    {
        var near = Path.GetRelativePath(folder, Path.GetFullPath(path, folder));
        return (near.StartsWith("..", StringComparison.Ordinal) || Path.IsPathRooted(near) ? path : near)
            .Replace('\\', '/');
    }

    /// <summary>
    /// A C file of an object. Compilers record its path from where they ran, which nobody knows any more: it is
    /// looked for from the current folder, then from the object's and those above it.
    /// </summary>
    public string OfSource(string source, string objectFile)
    {
        if (Path.IsPathRooted(source) || File.Exists(Path.GetFullPath(source, folder)))
        {
            return Of(source);
        }

        for (var at = Path.GetDirectoryName(Path.GetFullPath(objectFile, folder)); at is not null;
            at = Path.GetDirectoryName(at))
        {
            if (Path.Combine(at, source) is var found && File.Exists(found))
            {
                return Of(found);
            }
        }

        return source.Replace('\\', '/');
    }
}
