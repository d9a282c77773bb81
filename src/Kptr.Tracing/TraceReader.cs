using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Kptr.Tracing.Binary;
using Kptr.Tracing.Json;
using Kptr.Tracing.Text;

namespace Kptr.Tracing;

/// <summary>Reads a trace once, from its start to its end, in constant memory.</summary>
/// <remarks>
/// Owns its stream. Not safe for several threads. Any input gives events, or <see cref="TraceFormatException"/> that
/// says where; what the stream itself throws (<see cref="IOException"/>) comes through.
/// </remarks>
public abstract class TraceReader : IEnumerable<TraceEvent>, IDisposable
{
    private const int FirstBadLinesMax = 10;
    private readonly List<TraceFormatException> _firstBadLines = [];

    private protected TraceReader(string name, TraceFormat format)
    {
        Name = name;
        Format = format;
    }

    /// <summary>The trace's name: its path, or what the caller called a stream.</summary>
    public string Name { get; }

    /// <summary>What it looks like.</summary>
    public TraceFormat Format { get; }

    /// <summary>Bytes read so far, for progress.</summary>
    public abstract long PositionBytes { get; }

    /// <summary>How the events of a binary trace lie in memory; empty for text.</summary>
    public virtual IReadOnlyCollection<TraceEventFormat> EventFormats => [];

    /// <summary>Lines left out because they could not be read.</summary>
    public long BadLines { get; private set; }

    /// <summary>The first ten of <see cref="BadLines"/>.</summary>
    public IReadOnlyList<TraceFormatException> FirstBadLines => _firstBadLines;

    /// <summary>Opens a trace file.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="options">Null finds the format out and throws at the first bad line.</param>
    /// <exception cref="TraceFormatException">It is none of the formats, or its head is broken.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static TraceReader Open(string path, TraceReaderOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Open(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1), path, options);
    }

    /// <summary>Reads a trace from a stream, which is closed with the reader.</summary>
    /// <param name="stream">The trace, from its start. A binary trace must be seekable.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="options">Null finds the format out and throws at the first bad line.</param>
    /// <exception cref="TraceFormatException">It is none of the formats, or its head is broken.</exception>
    public static TraceReader Open(Stream stream, string name, TraceReaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentException.ThrowIfNullOrEmpty(name);
        try
        {
            options ??= new();
            var format = options.Format;
            if (format == TraceFormat.Detect)
            {
                (format, stream) = FormatDetector.Detect(stream, name);
            }

            return format switch
            {
                TraceFormat.PerfScript => new PerfScriptReader(stream, name, options),
                TraceFormat.Ftrace => new FtraceReader(stream, name, options),
                TraceFormat.TraceDat => new TraceDatReader(stream, name, options),
                TraceFormat.Chrome => new ChromeReader(stream, name),
                TraceFormat.Bpftrace => new BpftraceReader(stream, name, options),
                _ => throw new ArgumentOutOfRangeException(nameof(options), format, "no such format"),
            };
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Reads the next event.</summary>
    /// <returns>False at the end of the trace.</returns>
    /// <exception cref="TraceFormatException">The trace is not what its format says.</exception>
    public abstract bool TryRead([NotNullWhen(true)] out TraceEvent? read);

    /// <inheritdoc/>
    public IEnumerator<TraceEvent> GetEnumerator()
    {
        while (TryRead(out var read))
        {
            yield return read;
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Closes the stream.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Format and name.</summary>
    public override string ToString() => $"{Format} trace {Name}";

    /// <summary>Closes the stream.</summary>
    /// <param name="disposing">True when called by <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);

    private protected void AddBadLine(TraceFormatException error)
    {
        BadLines++;
        if (_firstBadLines.Count < FirstBadLinesMax)
        {
            _firstBadLines.Add(error);
        }
    }
}
