using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Kptr.Tracing.Text;

namespace Kptr.Tracing.Binary;

/// <summary><c>trace.dat</c>: the CPUs' pages merged by time.</summary>
internal sealed class TraceDatReader : TraceReader
{
    private readonly DatStream _file;
    private readonly DatHeader _header;
    private readonly NameCache _names = new();
    private readonly PriorityQueue<CpuPages, (ulong Time, int Cpu)> _cpus = new();
    private readonly bool _keepsRecords;
    private CpuPages? _current;
    private bool _isLostTold;
    private long _bytes;

    internal TraceDatReader(Stream stream, string name, TraceReaderOptions options)
        : base(name, TraceFormat.TraceDat)
    {
        if (!stream.CanSeek)
        {
            throw new TraceFormatException(name, 0, 0, "a trace.dat must be a file: its CPUs lie behind each other");
        }

        _keepsRecords = options.KeepsRecords;
        _file = new(new BufferedStream(stream), name);
        _header = DatHeader.Read(_file);
        foreach (var data in _header.Cpus)
        {
            Enqueue(new(_file, _header, data));
        }
    }

    public override long PositionBytes => _bytes;

    public override IReadOnlyCollection<TraceEventFormat> EventFormats => _header.Formats.Values;

    public override bool TryRead([NotNullWhen(true)] out TraceEvent? read)
    {
        if (_current is { } done)
        {
            _current = null;
            Enqueue(done);
        }

        if (!_cpus.TryPeek(out var cpu, out _))
        {
            read = null;
            return false;
        }

        if (cpu.Lost >= 0 && !_isLostTold)
        {
            _isLostTold = true;
            read = new(TraceEvent.LostEvents, TimeOf(cpu), new TraceField("events", cpu.Lost))
            {
                Cpu = cpu.Cpu,
                Offset = cpu.RecordOffset,
            };
            return true;
        }

        _isLostTold = false;
        _current = _cpus.Dequeue();
        _bytes += cpu.Record.Length;
        read = Make(cpu);
        return true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }
    }

    private void Enqueue(CpuPages cpu)
    {
        if (cpu.TryNext())
        {
            _cpus.Enqueue(cpu, (cpu.Time, cpu.Cpu));
        }
    }

    private TraceEvent Make(CpuPages cpu)
    {
        var record = cpu.Record;
        var id = _file.IsBigEndian
            ? BinaryPrimitives.ReadUInt16BigEndian(record)
            : BinaryPrimitives.ReadUInt16LittleEndian(record);
        var pid = (int)_file.ToUInt32(record[4..]);
        var format = _header.Formats.GetValueOrDefault(id);
        return new(format?.Name ?? $"event_{id}", TimeOf(cpu), format?.Decode(record, _file.IsBigEndian, _names) ?? [])
        {
            System = format?.System ?? "",
            Cpu = cpu.Cpu,
            Pid = pid,
            Comm = pid == 0 ? "<idle>" : _header.Comms.GetValueOrDefault(pid, "<...>"),
            Offset = cpu.RecordOffset,
            Record = _keepsRecords ? record.ToArray() : default,
        };
    }

    private long TimeOf(CpuPages cpu)
    {
        var time = cpu.Time;
        if (_header.Tsc is { } tsc)
        {
            time = (ulong)((UInt128)(time - tsc.Offset) * tsc.Mult >> (int)Math.Min(tsc.Shift, 64));
        }

        return unchecked((long)time + _header.OffsetNs);
    }
}
