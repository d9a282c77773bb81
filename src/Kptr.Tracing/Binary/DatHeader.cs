using System.Globalization;
using System.Text;

namespace Kptr.Tracing.Binary;

/// <summary>What a <c>trace.dat</c> file says of itself before its events.</summary>
/// <remarks>
/// trace-cmd.dat(5), versions 6 and 7. Version 6 is one sequence; version 7 is sections, found through options.
/// </remarks>
internal sealed class DatHeader
{
    private const int FormatBytesMax = 1024 * 1024;
    private const int FormatsMax = 65536;
    private const int CommsBytesMax = 64 * 1024 * 1024;
    private readonly DatStream _file;

    internal DatHeader(DatStream file)
    {
        _file = file;
    }

    /// <summary>Formats by the number that records have.</summary>
    internal Dictionary<int, TraceEventFormat> Formats { get; } = [];

    /// <summary>Names of tasks by pid, as they were when the recording ended.</summary>
    internal Dictionary<int, string> Comms { get; } = [];

    /// <summary>Where the events of each CPU are.</summary>
    internal List<CpuData> Cpus { get; } = [];

    /// <summary>Size of a page of the ring buffer.</summary>
    internal int PageBytes { get; set; }

    /// <summary>Where a page says how much of it is in use, and in how many bytes.</summary>
    internal (int Offset, int Size) Commit { get; private set; } = (8, 8);

    /// <summary>Where a page's events begin.</summary>
    internal int DataOffset { get; private set; } = 16;

    /// <summary>Added to every timestamp.</summary>
    internal long OffsetNs { get; set; }

    /// <summary>How cycles become nanoseconds; null where timestamps are nanoseconds.</summary>
    internal (uint Mult, uint Shift, ulong Offset)? Tsc { get; set; }

    internal static DatHeader Read(DatStream file)
    {
        var header = new DatHeader(file);
        file.Position = 10;
        var version = file.ReadText();
        var order = file.ReadByte();
        if (order > 1)
        {
            throw file.Broken(file.Position - 1, $"the byte order is {order}: 0 is little, 1 is big");
        }

        file.IsBigEndian = order == 1;
        file.ReadByte();
        header.PageBytes = header.ReadPageBytes();
        if (version == "6")
        {
            new DatVersion6(file, header).Read();
        }
        else if (version == "7")
        {
            new DatVersion7(file, header).Read();
        }
        else
        {
            throw file.Broken(10, $"this is version {version} of trace.dat; 6 and 7 are read");
        }

        return header;
    }

    internal int ReadPageBytes()
    {
        var at = _file.Position;
        var size = _file.ReadUInt32();
        return size is >= 512 and <= 16 * 1024 * 1024
            ? (int)size
            : throw _file.Broken(at, $"a page is said to have {size} bytes");
    }

    internal void ReadHeaderInfo()
    {
        ExpectText("header_page");
        var page = ReadFormatText("the page header's format");
        ExpectText("header_event");
        ReadFormatText("the event header's format");
        foreach (var line in page.Split('\n').Where(l => l.Contains("field", StringComparison.Ordinal)))
        {
            var field = TraceFieldFormat.TryParse(line.Trim());
            if (field?.Name == "commit" && field.SizeBytes is 4 or 8)
            {
                Commit = (field.OffsetBytes, field.SizeBytes);
            }
            else if (field?.Name == "data")
            {
                DataOffset = field.OffsetBytes;
            }
        }

        if (DataOffset < 12 || DataOffset > 64 || Commit.Offset + Commit.Size > DataOffset)
        {
            throw _file.Broken(_file.Position, "the page header's format is unlike any known");
        }
    }

    internal void ReadFtraceFormats()
    {
        for (var left = ReadCount(); left > 0; left--)
        {
            ReadFormat("ftrace");
        }
    }

    internal void ReadEventFormats()
    {
        for (var systems = ReadCount(); systems > 0; systems--)
        {
            var system = _file.ReadText();
            for (var left = ReadCount(); left > 0; left--)
            {
                ReadFormat(system);
            }
        }
    }

    internal void ReadComms()
    {
        var size = _file.ReadSize("the list of names");
        var text = Encoding.UTF8.GetString(_file.ReadBytes(size, "the list of names", CommsBytesMax));
        foreach (var line in text.Split('\n'))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0 && int.TryParse(
                line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                Comms[pid] = line[(space + 1)..];
            }
        }
    }

    internal void AddCpu(int cpu, long offset, long size)
    {
        if (size > 0)
        {
            Cpus.Add(new(cpu, offset, size));
        }
    }

    private int ReadCount()
    {
        var at = _file.Position;
        var count = _file.ReadUInt32();
        return count <= FormatsMax ? (int)count : throw _file.Broken(at, $"{count} formats are more than there can be");
    }

    private void ReadFormat(string system)
    {
        var offset = _file.Position + 8;
        var text = ReadFormatText("the format of an event");
        var format = TraceEventFormat.Parse(system, text, "format of an event", offset);
        Formats[format.Id] = format;
    }

    private string ReadFormatText(string what) =>
        Encoding.UTF8.GetString(_file.ReadBytes(_file.ReadSize(what), what, FormatBytesMax));

    private void ExpectText(string text)
    {
        var at = _file.Position;
        if (_file.ReadText() != text)
        {
            throw _file.Broken(at, $"\"{text}\" belongs here");
        }
    }
}

/// <summary>Where the pages of a CPU are.</summary>
internal readonly record struct CpuData(int Cpu, long Offset, long Size);
