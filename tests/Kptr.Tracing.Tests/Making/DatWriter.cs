using System.Text;

namespace Kptr.Tracing.Tests.Making;

/// <summary>Writes events as a <c>trace.dat</c> of version 6 or 7, in either byte order.</summary>
internal sealed class DatWriter
{
    private const string PageFormat = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
        + "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
        + "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

    private const string Comms = "0 <idle>\n300 task\n";
    private readonly MemoryStream _to;
    private readonly int _version;
    private readonly bool _isBigEndian;

    private DatWriter(MemoryStream to, int version, bool isBigEndian)
    {
        _to = to;
        _version = version;
        _isBigEndian = isBigEndian;
    }

    public static void Write(
        int version, IEnumerable<TraceEvent> events, int cpus, Stream to, bool isBigEndian = false)
    {
        using var file = new MemoryStream();
        new DatWriter(file, version, isBigEndian).Write(events, cpus);
        file.Position = 0;
        file.CopyTo(to);
    }

    private void Write(IEnumerable<TraceEvent> events, int cpus)
    {
        var pages = Enumerable.Range(0, cpus).Select(_ => new DatPages(_isBigEndian)).ToArray();
        foreach (var e in events)
        {
            if (e.Name == TraceEvent.LostEvents)
            {
                pages[e.Cpu].Lose(e.Fields[0].Number);
                continue;
            }

            var format = MadeFormats.ByName[e.Name];
            pages[e.Cpu].Add(e.TimestampNs, Turned(format, format.Encode(e)));
        }

        Array.ForEach(pages, p => p.Flush());
        Write(pages);
    }

    private void Write(DatPages[] pages)
    {
        _to.Write([0x17, 0x08, 0x44]);
        _to.Write("tracing"u8);
        Text($"{_version}");
        _to.WriteByte(_isBigEndian ? (byte)1 : (byte)0);
        _to.WriteByte(8);
        Number(DatPages.PageBytes, 4);
        if (_version == 6)
        {
            WriteHeaders();
            WriteFtraceFormats();
            WriteEventFormats();
            Number(0, 4);
            Number(0, 4);
            WriteComms();
            Number(pages.Length, 4);
            _to.Write("options  \0"u8);
            Number(0, 2);
            _to.Write("flyrecord\0"u8);
            var table = _to.Position;
            _to.Position += pages.Length * 16;
            WriteCpus(pages, table, 0);
            return;
        }

        Text("none");
        Text("");
        var first = _to.Position;
        Number(0, 8);
        var headers = Section(16, WriteHeaders);
        var ftrace = Section(17, WriteFtraceFormats);
        var formats = Section(18, WriteEventFormats);
        var comms = Section(21, WriteComms);
        var buffer = Section(3, () => { });
        var options = _to.Position;
        At(first, options, 8);
        Section(0, () =>
        {
            Option(16, headers);
            Option(17, ftrace);
            Option(18, formats);
            Option(21, comms);
            Number(3, 2);
            Number(8 + 1 + 6 + 8 + (pages.Length * 20), 4);
            Number(buffer, 8);
            Text("");
            Text("local");
            Number(DatPages.PageBytes, 4);
            Number(pages.Length, 4);
            var table = _to.Position;
            _to.Position += pages.Length * 20;
            Option(0, 0);
            var end = _to.Position;
            WriteCpus(pages, table, 4);
            _to.Position = end;
        });
        _to.Position = _to.Length;
    }

    private void WriteHeaders()
    {
        Text("header_page");
        Sized(PageFormat);
        Text("header_event");
        Sized("# compressed entry header\n");
    }

    private void WriteFtraceFormats() => Number(0, 4);

    private void WriteEventFormats()
    {
        var systems = MadeFormats.All.GroupBy(f => f.System).ToList();
        Number(systems.Count, 4);
        foreach (var system in systems)
        {
            Text(system.Key);
            Number(system.Count(), 4);
            foreach (var (_, text) in system)
            {
                Sized(text);
            }
        }
    }

    private void WriteComms() => Sized(Comms);

    private void WriteCpus(DatPages[] pages, long table, int idBytes)
    {
        for (var cpu = 0; cpu < pages.Length; cpu++)
        {
            var entry = table + (cpu * (16 + idBytes));
            var start = (Math.Max(_to.Length, table + (pages.Length * 24) + 64) + 4095) / 4096 * 4096;
            if (idBytes > 0)
            {
                At(entry, cpu, idBytes);
            }

            At(entry + idBytes, start, 8);
            At(entry + idBytes + 8, pages[cpu].Bytes.Length, 8);
            _to.Position = start;
            pages[cpu].Bytes.WriteTo(_to);
        }
    }

    private long Section(int id, Action body)
    {
        var start = _to.Position;
        Number(id, 2);
        Number(0, 2);
        Number(0, 4);
        Number(0, 8);
        body();
        At(start + 8, _to.Position - start - 16, 8);
        return start;
    }

    private void Option(int id, long offset)
    {
        Number(id, 2);
        Number(8, 4);
        Number(offset, 8);
    }

    private void Sized(string text)
    {
        Number(text.Length, 8);
        _to.Write(Encoding.UTF8.GetBytes(text));
    }

    private void Text(string text)
    {
        _to.Write(Encoding.UTF8.GetBytes(text));
        _to.WriteByte(0);
    }

    private void At(long position, long value, int bytes)
    {
        var back = _to.Position;
        _to.Position = position;
        Number(value, bytes);
        _to.Position = back;
    }

    private void Number(long value, int bytes)
    {
        for (var i = 0; i < bytes; i++)
        {
            _to.WriteByte((byte)(value >> ((_isBigEndian ? bytes - 1 - i : i) * 8)));
        }
    }

    // Records are encoded little-endian: their numbers are turned round where the other order is asked for.
    private byte[] Turned(TraceEventFormat format, byte[] record)
    {
        foreach (var field in _isBigEndian ? format.Fields : [])
        {
            if (!field.Type.EndsWith(']') || field.Type.StartsWith("__data_loc", StringComparison.Ordinal))
            {
                record.AsSpan(field.OffsetBytes, field.SizeBytes).Reverse();
            }
        }

        return record;
    }
}
