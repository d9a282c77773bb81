using System.Formats.Tar;
using System.IO.Compression;

namespace Kptr.Tracing.Proc;

/// <summary>The files of an archive by tar, compressed by gzip or not, in memory: nothing is unpacked.</summary>
internal sealed class ProcArchive : ProcTree
{
    private const long BytesMax = 1L << 30;
    private const int EntriesMax = 10_000_000;
    private readonly Dictionary<string, byte[]> _files = [];
    private readonly Dictionary<string, string> _links = [];
    private readonly Dictionary<string, SortedSet<string>> _folders = new() { [""] = [] };

    private ProcArchive()
    {
    }

    /// <exception cref="IOException">It cannot be read, is no such archive, or holds more than a gibibyte.</exception>
    internal static ProcArchive Read(string path)
    {
        using var file = File.OpenRead(path);
        var isCompressed = file.ReadByte() == 0x1f && file.ReadByte() == 0x8b;
        file.Position = 0;
        using Stream bytes = isCompressed ? new GZipStream(file, CompressionMode.Decompress) : file;
        try
        {
            return Read(bytes, path);
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or FormatException
            or ArgumentException or NotSupportedException or OverflowException)
        {
            throw new IOException($"{path} is no archive by tar: {error.Message}", error);
        }
    }

    private static ProcArchive Read(Stream bytes, string path)
    {
        var made = new ProcArchive();
        using var tar = new TarReader(bytes);
        long all = 0;
        for (var count = 0; tar.GetNextEntry() is { } entry; count++)
        {
            all += entry.Length;
            if (all > BytesMax || count >= EntriesMax)
            {
                throw new IOException($"{path} holds more than {BytesMax} bytes or {EntriesMax} entries");
            }

            made.Add(entry);
        }

        return made;
    }

    private void Add(TarEntry entry)
    {
        var name = string.Join('/', entry.Name.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(p => p != "."));
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                AddFolder(name);
                break;
            case TarEntryType.SymbolicLink:
                _links[name] = entry.LinkName;
                AddToFolder(name);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile:
                using (var content = new MemoryStream())
                {
                    entry.DataStream?.CopyTo(content);
                    _files[name] = content.ToArray();
                }

                AddToFolder(name);
                break;
            default:
                break; // devices and the like say nothing
        }
    }

    private void AddFolder(string name)
    {
        while (_folders.TryAdd(name, new(StringComparer.Ordinal)))
        {
            AddToFolder(name);
            name = Parent(name);
        }
    }

    private void AddToFolder(string name)
    {
        if (name.Length > 0)
        {
            AddFolder(Parent(name));
            _folders[Parent(name)].Add(name[(name.LastIndexOf('/') + 1)..]);
        }
    }

    private static string Parent(string name) => name.LastIndexOf('/') is > 0 and var at ? name[..at] : "";

    internal override Stream Open(string path) => _files.TryGetValue(path, out var bytes)
        ? new MemoryStream(bytes, writable: false) : throw new FileNotFoundException($"{path} is not in the archive");

    internal override IEnumerable<string> Names(string folder, bool foldersOnly) =>
        _folders.TryGetValue(folder, out var names)
            ? names.Where(n => !foldersOnly || IsFolder(folder.Length == 0 ? n : $"{folder}/{n}"))
            : throw new DirectoryNotFoundException($"{folder} is not in the archive");

    internal override string? TargetOf(string path) => _links.GetValueOrDefault(path);

    internal override bool IsFile(string path) => _files.ContainsKey(path);

    internal override bool IsFolder(string path) => _folders.ContainsKey(path);
}
