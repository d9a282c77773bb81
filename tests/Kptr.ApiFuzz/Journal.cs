using System.IO.MemoryMappedFiles;
using System.Text;

namespace Kptr.ApiFuzz;

/// <summary>What each thread of a child is about to call, in a file that outlives the child.</summary>
/// <remarks>A slot per thread: 8 bytes that count calls, 4 with the length of the text, the text.</remarks>
internal sealed class Journal : IDisposable
{
    internal const int ThreadsMax = 16;
    private const int SlotBytes = 4096;
    private const int TextOffset = 12;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    internal Journal(string path)
    {
        using (var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            file.SetLength(ThreadsMax * SlotBytes);
        }

        _file = MemoryMappedFile.CreateFromFile(
            new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite), null,
            0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, false);
        _view = _file.CreateViewAccessor();
    }

    /// <summary>Calls that all threads began so far: stands still where all hang.</summary>
    internal long[] Progress => [.. Enumerable.Range(0, ThreadsMax).Select(t => _view.ReadInt64(t * SlotBytes))];

    /// <summary>Notes a call before it is made. Empty says that the thread is done.</summary>
    internal void Begin(int thread, string call)
    {
        var bytes = Encoding.UTF8.GetBytes(call);
        var length = Math.Min(bytes.Length, SlotBytes - TextOffset);
        var at = thread * SlotBytes;
        _view.WriteArray(at + TextOffset, bytes, 0, length);
        _view.Write(at + 8, length);
        _view.Write(at, _view.ReadInt64(at) + 1);
    }

    /// <summary>What a thread began last; empty when it is done or never began.</summary>
    internal string CallOf(int thread)
    {
        var bytes = new byte[Math.Clamp(_view.ReadInt32((thread * SlotBytes) + 8), 0, SlotBytes - TextOffset)];
        _view.ReadArray((thread * SlotBytes) + TextOffset, bytes, 0, bytes.Length);
        return Encoding.UTF8.GetString(bytes);
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
