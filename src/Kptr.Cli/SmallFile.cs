using System.Globalization;
using Kptr.Diagnostics;

namespace Kptr.Cli;

/// <summary>
/// Files that are read whole, up to a size: what has no end (a pipe, <c>/dev/zero</c>) is refused too.
/// </summary>
internal static class SmallFile
{
    /// <exception cref="DiagnosticException">It cannot be read, or is larger.</exception>
    public static byte[] Read(string path, int bytesMax)
    {
        try
        {
            using var file = File.OpenRead(path);
            using var read = new MemoryStream();
            var buffer = new byte[64 * 1024];
            while (file.Read(buffer) is > 0 and var count)
            {
                if (read.Length + count > bytesMax)
                {
                    throw new IOException(
                        string.Create(CultureInfo.InvariantCulture, $"is larger than {bytesMax} bytes"));
                }

                read.Write(buffer, 0, count);
            }

            return read.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException([new(DiagCode.FileUnreadable, e.Message) { File = path }]);
        }
    }
}
