using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Kptr.Cli.Output;

/// <summary>
/// Standard output or standard error, where a write that fails is told from other faults of files.
/// </summary>
/// <param name="inner">What is written to.</param>
/// <param name="isLossy">What cannot be written is dropped: nobody is left to tell it to.</param>
internal sealed class OutputStream(Stream inner, bool isLossy) : Stream
{
    // Linux's EPIPE, which .NET gives as it is.
    private const int BrokenPipe = 32;
    private const int OutputHandle = 1;
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>
    /// Standard output. Its buffer is written when it is full, or flushed. A failed write is an
    /// <see cref="OutputFailedException"/>.
    /// </summary>
    public static TextWriter OpenOutput() => new StreamWriter(new OutputStream(OpenRaw(), isLossy: false), Utf8);

    /// <summary>Standard error. Each write is made at once; one that fails is forgotten.</summary>
    public static TextWriter OpenErrors() =>
        new StreamWriter(new OutputStream(Console.OpenStandardError(), isLossy: true), Utf8) { AutoFlush = true };

    // .NET's console does not say that a pipe is closed, a file stream does. Whatever can seek stays with the console:
    // a file stream has its own position, and would write over what another process appends.
    private static Stream OpenRaw()
    {
        if (OperatingSystem.IsWindows() || !Console.IsOutputRedirected)
        {
            return Console.OpenStandardOutput();
        }

        try
        {
            var file = new FileStream(new SafeFileHandle(OutputHandle, ownsHandle: false), FileAccess.Write, 0);
            return file.CanSeek ? Console.OpenStandardOutput() : file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return Console.OpenStandardOutput(); // nothing is open there
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            inner.Write(buffer);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (!isLossy)
            {
                throw new OutputFailedException(e, e.HResult == BrokenPipe);
            }
        }
    }

    public override void Flush()
    {
        // Nothing is kept here: each write is made at once.
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}

/// <summary>Standard output takes no more.</summary>
/// <param name="cause">What the system said.</param>
/// <param name="isClosed">The reader has gone: nobody misses what is not written.</param>
internal sealed class OutputFailedException(Exception cause, bool isClosed) : Exception(cause.Message, cause)
{
    public bool IsClosed => isClosed;
}
