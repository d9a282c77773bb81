using System.Formats.Tar;
using System.IO.Compression;

namespace Kptr.Tracing.Proc;

/// <summary>The files of an archive by tar, compressed by gzip or not, in memory: nothing is unpacked.</summary>
internal sealed class ProcArchive : ProcTree
{
    private const long BytesMax = 1L << 30;
    private const int NameMax = 4096; // PATH_MAX
    private const int EntryBytes = 200;
    private static readonly byte[] GzipMagic = [0x1f, 0x8b];
    private readonly Dictionary<string, byte[]> _files = [];
    private readonly Dictionary<string, string> _links = [];
    private readonly Dictionary<string, SortedSet<string>> _folders = new() { [""] = [] };
    private long _bytes;

    private ProcArchive()
    {
    }

    /// <exception cref="IOException">It cannot be read, is no such archive, or holds more than a gibibyte.</exception>
    internal static ProcArchive Read(string path)
    {
        // A pipe cannot be read twice: its first bytes are put before the rest.
        using var file = File.OpenRead(path);
        var head = new byte[GzipMagic.Length];
        var count = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        using var whole = new HeadedStream(head.AsMemory(0, count), file);
        var isCompressed = head.AsSpan().SequenceEqual(GzipMagic);
        using Stream bytes = isCompressed ? new GZipStream(whole, CompressionMode.Decompress) : whole;
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
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.Name.Length > NameMax)
            {
                throw new IOException($"{path} has a name of more than {NameMax} characters");
            }

            made._bytes += entry.Length;
            if (made._bytes > BytesMax)
            {
                throw new IOException($"{path} holds more than {BytesMax} bytes");
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
                _bytes += entry.LinkName.Length * sizeof(char);
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
        if (_folders.TryAdd(name, new(StringComparer.Ordinal)))
        {
            AddToFolder(name);
        }
    }

    // Names and what keeps them count as well: an archive of names alone is small.
    private void AddToFolder(string name)
    {
        for (var isNew = true; isNew && name.Length > 0;)
        {
            var parent = Parent(name);
            _bytes += EntryBytes + (name.Length * sizeof(char));
            isNew = _folders.TryAdd(parent, new(StringComparer.Ordinal));
            _folders[parent].Add(name[(name.LastIndexOf('/') + 1)..]);
            name = parent;
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
