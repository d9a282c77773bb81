using System.Text;

namespace Kptr.Tracing.Binary;

/// <summary>Version 6 of <c>trace.dat</c>: one sequence.</summary>
internal sealed class DatVersion6(DatStream file, DatHeader header)
{
    private const int CpusMax = 8192;

    internal void Read()
    {
        header.ReadHeaderInfo();
        header.ReadFtraceFormats();
        header.ReadEventFormats();
        Skip(file.ReadUInt32(), "the list of symbols");
        Skip(file.ReadUInt32(), "the list of printk formats");
        header.ReadComms();
        var at = file.Position;
        var cpus = file.ReadUInt32();
        if (cpus > CpusMax)
        {
            throw file.Broken(at, $"{cpus} CPUs are more than there can be");
        }

        var kind = ReadKind();
        if (kind == "options  ")
        {
            ReadOptions();
            kind = ReadKind();
        }

        if (kind != "flyrecord")
        {
            throw file.Broken(file.Position - 10, kind == "latency  "
                ? "this recording is the text of a latency tracer, and has no events"
                : "\"options\", \"latency\" or \"flyrecord\" belongs here");
        }

        for (var cpu = 0; cpu < cpus; cpu++)
        {
            var offset = file.ReadOffset($"the data of CPU {cpu}");
            at = file.Position;
            var size = file.ReadInt64();
            if (size < 0 || size > file.Length - offset)
            {
                throw file.Broken(at, $"the data of CPU {cpu} is said to have {size} bytes: the file is cut off");
            }

            header.AddCpu(cpu, offset, size);
        }
    }

    private void ReadOptions()
    {
        while (file.ReadUInt16() is not 0 and var id)
        {
            var size = file.ReadUInt32();
            var end = file.Position + size;
            if (end > file.Length)
            {
                throw file.Broken(file.Position - 4, $"option {id} is said to have {size} bytes");
            }

            DatOptions.Read(file, header, id, size);
            file.Position = end;
        }
    }

    private string ReadKind() => Encoding.ASCII.GetString(file.ReadBytes(10, "a word", 10)).TrimEnd('\0');

    private void Skip(uint size, string what)
    {
        if (size > file.Length - file.Position)
        {
            throw file.Broken(file.Position - 4, $"{what} is said to have {size} bytes, and the file ends before that");
        }

        file.Position += size;
    }
}
