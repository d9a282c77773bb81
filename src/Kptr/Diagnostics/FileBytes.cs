namespace Kptr.Diagnostics;

/// <summary>
/// Reads whole files of any kind: regular ones, and those of <c>/sys</c>, <c>/proc</c>, pipes and devices.
/// </summary>
/// <remarks>
/// The end of a file is where a read gives nothing, never what <c>stat</c> says: files of <c>/proc</c> have length 0
/// there, those of <c>/sys</c> a whole page, and a file may grow or be cut short meanwhile. Nothing is mapped:
/// <c>/sys</c> and pipes cannot be (the former only privately, since 6.16), and a mapped file that is cut short ends
/// the process with a bus error.
/// </remarks>
internal static class FileBytes
{
    /// <summary>Largest file that is read; an endless device must not fill the memory.</summary>
    internal const int BytesMax = 1 << 30;

    private const int FirstBytes = 1 << 16;

    /// <summary>All bytes of a file, opened once: a pipe gives its bytes to the first who opens it.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="sink">Hears why it cannot be read.</param>
    /// <param name="bytesMax">The largest that is read.</param>
    /// <returns>Null, and a report of <see cref="DiagCode.FileUnreadable"/>, when it cannot be opened or read,
    /// or is too large.</returns>
    internal static byte[]? TryRead(string path, DiagSink sink, int bytesMax = BytesMax)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var fault = "";
        try
        {
            if (Directory.Exists(path))
            {
                fault = "is a directory";
            }
            else if (ReadAll(path, bytesMax) is { } bytes)
            {
                return bytes;
            }
            else
            {
                fault = $"is larger than {bytesMax} bytes";
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException
            or ArgumentException)
        {
            fault = e.Message;
        }

        sink.Report(new(DiagCode.FileUnreadable, fault) { File = path });
        return null;
    }

    /// <summary>All bytes of a file.</summary>
    /// <exception cref="DiagnosticException">It cannot be read: <see cref="DiagCode.FileUnreadable"/>.</exception>
    internal static byte[] Read(string path, int bytesMax = BytesMax)
    {
        var sink = new DiagSink();
        return TryRead(path, sink, bytesMax) ?? throw new DiagnosticException(sink.All);
    }

    // Null: too large. No buffer of the stream's own, and no lock that another reader or writer would meet.
    private static byte[]? ReadAll(string path, int bytesMax)
    {
        using var file = new FileStream(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        var expected = Math.Max(file.CanSeek ? file.Length : 0, FirstBytes);
        var bytes = new byte[(int)Math.Min(expected, bytesMax)];
        var length = 0;
        while (file.Read(bytes, length, bytes.Length - length) is var got and > 0)
        {
            length += got;
            if (length == bytes.Length && !TryGrow(file, ref bytes, ref length, bytesMax))
            {
                return null;
            }
        }

        Array.Resize(ref bytes, length);
        return bytes;
    }

    // Where the file ends exactly here, as it mostly does, there is nothing to grow for. False: too large.
    private static bool TryGrow(FileStream file, ref byte[] bytes, ref int length, int bytesMax)
    {
        var next = file.ReadByte();
        if (next < 0)
        {
            return true;
        }

        if (length == bytesMax)
        {
            return false;
        }

        Array.Resize(ref bytes, Math.Min(length * 2, bytesMax));
        bytes[length++] = (byte)next;
        return true;
    }
}
