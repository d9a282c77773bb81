namespace Kptr.Tracing.Proc;

/// <summary>Where files like those of <c>/proc</c> are: folders of this machine, or an archive of another's.</summary>
internal abstract class ProcTree
{
    /// <summary>Opens a file.</summary>
    /// <exception cref="IOException">It is not there, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    internal abstract Stream Open(string path);

    /// <summary>Names of what is in a folder; of folders alone where it is asked for those.</summary>
    /// <exception cref="IOException">It is not there, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    internal abstract IEnumerable<string> Names(string folder, bool foldersOnly);

    /// <summary>What a link says; null where it is none, or cannot be read.</summary>
    internal abstract string? TargetOf(string path);

    internal abstract bool IsFile(string path);

    internal abstract bool IsFolder(string path);
}

/// <summary>Folders of this machine.</summary>
internal sealed class ProcFolders : ProcTree
{
    internal override Stream Open(string path) => File.OpenRead(path);

    internal override IEnumerable<string> Names(string folder, bool foldersOnly) =>
        (foldersOnly ? Directory.GetDirectories(folder) : Directory.GetFileSystemEntries(folder))
            .Select(p => Path.GetFileName(p)!);

    internal override string? TargetOf(string path)
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

    internal override bool IsFile(string path) => File.Exists(path);

    internal override bool IsFolder(string path) => Directory.Exists(path);
}
