namespace Kptr.Tracing.Binary;

/// <summary>Version 7 of <c>trace.dat</c>: sections, which options point at.</summary>
internal sealed class DatVersion7(DatStream file, DatHeader header)
{
    private const int OptionsSectionsMax = 4096;
    private const int CpusMax = 8192;
    private const ushort CompressedFlag = 1;
    private string _compression = "";
    private bool _hasTopBuffer;
    private bool _hasBuffer;

    internal void Read()
    {
        _compression = file.ReadText();
        file.ReadText();
        var offset = file.ReadOffset("the first section of options");
        for (var sections = 0; offset != 0; sections++)
        {
            if (sections == OptionsSectionsMax)
            {
                throw file.Broken(offset, "the sections of options go round in a circle");
            }

            offset = ReadOptions(offset);
        }

        if (!_hasBuffer)
        {
            throw file.Broken(file.Position, "the file has no events: it is cut off, or a latency tracer's text");
        }
    }

    private long ReadOptions(long offset)
    {
        EnterSection(offset, DatOption.Done, "options");
        while (true)
        {
            var id = file.ReadUInt16();
            var at = file.Position;
            var size = file.ReadUInt32();
            var end = file.Position + size;
            if (end > file.Length)
            {
                throw file.Broken(at, $"option {id} is said to have {size} bytes, and the file ends before that");
            }

            if (id == (int)DatOption.Done)
            {
                return size >= 8 ? file.ReadOffset("the next section of options") : 0;
            }

            ReadOption((DatOption)id, size);
            file.Position = end;
        }
    }

    private void ReadOption(DatOption id, uint size)
    {
        switch (id)
        {
            case DatOption.HeaderInfo:
                EnterSection(file.ReadOffset("the section of headers"), id, "headers");
                header.ReadHeaderInfo();
                break;
            case DatOption.FtraceEvents:
                EnterSection(file.ReadOffset("the section of ftrace formats"), id, "ftrace formats");
                header.ReadFtraceFormats();
                break;
            case DatOption.EventFormats:
                EnterSection(file.ReadOffset("the section of event formats"), id, "event formats");
                header.ReadEventFormats();
                break;
            case DatOption.Comms:
                EnterSection(file.ReadOffset("the section of names"), id, "names");
                header.ReadComms();
                break;
            case DatOption.Buffer:
                ReadBuffer();
                break;
            default:
                DatOptions.Read(file, header, (int)id, size);
                break;
        }
    }

    // One a trace instance. The top one is read; where there is none, the first.
    private void ReadBuffer()
    {
        var offset = file.ReadOffset("a section of events");
        var isTop = file.ReadText().Length == 0;
        file.ReadText();
        if (_hasTopBuffer || (_hasBuffer && !isTop))
        {
            return;
        }

        (_hasBuffer, _hasTopBuffer) = (true, isTop);
        header.Cpus.Clear();
        header.PageBytes = header.ReadPageBytes();
        var at = file.Position;
        var cpus = file.ReadUInt32();
        if (cpus > CpusMax)
        {
            throw file.Broken(at, $"{cpus} CPUs are more than there can be");
        }

        for (; cpus > 0; cpus--)
        {
            var cpu = file.ReadUInt32();
            var start = file.ReadOffset($"the data of CPU {cpu}");
            at = file.Position;
            var size = file.ReadInt64();
            if (size < 0 || size > file.Length - start || cpu > CpusMax)
            {
                throw file.Broken(at, $"the data of CPU {cpu} is said to have {size} bytes: the file is cut off");
            }

            header.AddCpu((int)cpu, start, size);
        }

        EnterSection(offset, DatOption.Buffer, "events");
    }

    private void EnterSection(long offset, DatOption expected, string what)
    {
        file.Position = offset;
        var id = file.ReadUInt16();
        if (id != (int)expected)
        {
            throw file.Broken(offset, $"the section of {what} is of kind {id}, not {(int)expected}");
        }

        var flags = file.ReadUInt16();
        file.ReadUInt32();
        file.ReadInt64();
        if ((flags & CompressedFlag) != 0)
        {
            throw file.Broken(offset, $"the section of {what} is compressed by {_compression}, which is not read: "
                + "trace-cmd convert --compression none -i FILE -o OTHER");
        }
    }
}
