using System.Text;
using Kptr.Tracing.Tests.Making;

namespace Kptr.Tracing.Tests;

/// <summary>Each format, written by us, comes back event by event and field by field.</summary>
public class ReaderTests
{
    private static readonly TraceFormat[] Texts =
        [TraceFormat.PerfScript, TraceFormat.Ftrace, TraceFormat.Chrome, TraceFormat.Bpftrace];

    public static TheoryData<TraceFormat> TextFormats => [.. Texts];

    [Theory, MemberData(nameof(TextFormats))]
    public void Text_IsReadAsItWasWritten(TraceFormat format)
    {
        var made = Made.Events(new() { Events = 3000, LostWakeups = 20 });
        var bytes = new MemoryStream();
        TextWriters.Write(format, made, bytes);

        bytes.Position = 0;
        using var reader = TraceReader.Open(bytes, "made");

        reader.Format.Should().Be(format);
        var lost = format is TraceFormat.Chrome;
        Made.Compare(reader, [.. made.Where(e => !lost || e.Name != TraceEvent.LostEvents)], isState: true);
        reader.PositionBytes.Should().BeGreaterThan(1000);
    }

    [Theory, MemberData(nameof(TextFormats))]
    public void Pipe_IsReadAsAFileIs(TraceFormat format)
    {
        var bytes = new MemoryStream();
        TextWriters.Write(format, Made.Events(new() { Events = 1000 }), bytes);
        List<(string, long, long)> Read(Stream stream)
        {
            using var reader = TraceReader.Open(stream, "made", new() { Format = format });
            return [.. reader.Select(e => (e.ToString(), e.Line, e.Offset))];
        }

        bytes.Position = 0;
        var ofPipe = Read(new Pipe(bytes, 7));
        bytes.Position = 0;

        ofPipe.Should().HaveCountGreaterThan(900).And.Equal(Read(bytes));
    }

    [Theory, InlineData(60_000), InlineData(70_000), InlineData(900_000)]
    public void LongText_IsReadWhole(int length)
    {
        var text = new string('x', length);
        foreach (var trace in new[]
        {
            $" bash-12 [000] 1.5: sched_process_free: comm={text} pid=3\n bash-12 [000] 1.6: b: pid=3\n",
            $$$"""[{"name": "sched_process_free", "ts": 1, "args": {"comm": "{{{text}}}"}}, {"name": "b", "ts": 2}]""",
        })
        {
            using var reader = TraceReader.Open(
                new Pipe(new MemoryStream(Encoding.UTF8.GetBytes(trace)), 4096), "made",
                new() { Format = trace[0] == '[' ? TraceFormat.Chrome : TraceFormat.Ftrace });

            var read = reader.ToList();
            read.Select(e => e.Name).Should().Equal("sched_process_free", "b");
            read[0].TextOf("comm").Should().Be(text);
        }
    }

    [Theory, InlineData(6, false), InlineData(7, false), InlineData(6, true), InlineData(7, true)]
    public void Dat_IsReadAsItWasWritten(int version, bool isBigEndian)
    {
        var made = Made.Events(new() { Events = 3000, LostWakeups = 20 });
        var bytes = new MemoryStream();
        DatWriter.Write(version, made, 4, bytes, isBigEndian);

        bytes.Position = 0;
        using var reader = TraceReader.Open(bytes, "made", new() { KeepsRecords = true });

        reader.Format.Should().Be(TraceFormat.TraceDat);
        reader.EventFormats.Select(f => f.Name).Should().BeEquivalentTo(MadeFormats.ByName.Keys);
        var read = reader.ToList();
        Made.Compare(
            read.Where(e => e.Name != TraceEvent.LostEvents), [.. made.Where(e => e.Name != TraceEvent.LostEvents)],
            isState: false);
        read.Where(e => e.Name == TraceEvent.LostEvents).Sum(e => e.Fields[0].Number)
            .Should().Be(made.Count(e => e.Name == TraceEvent.LostEvents));
        if (!isBigEndian)
        {
            read.Where(e => e.Name != TraceEvent.LostEvents).Should().OnlyContain(
                e => StartsWith(e.Record, MadeFormats.ByName[e.Name].Encode(e)));
        }
    }

    // Records are padded to whole words.
    private static bool StartsWith(ReadOnlyMemory<byte> record, byte[] start) => record.Span.StartsWith(start);

    [Fact]
    public void LongTimes_AreKeptToTheNanosecond()
    {
        TraceEvent[] made = [Wait(5), Wait(5 + (1L << 27)), Wait(5 + (1L << 40)), Wait((1L << 40) + 6)];
        var bytes = new MemoryStream();
        DatWriter.Write(7, made, 1, bytes);
        bytes.Position = 0;
        using var reader = TraceReader.Open(bytes, "made");

        reader.Select(e => e.TimestampNs).Should().Equal(made.Select(e => e.TimestampNs));

        static TraceEvent Wait(long ns) =>
            new("sched_process_free", ns, new("comm", 0, "a"), new("pid", 5), new("prio", 120)) { Cpu = 0, Pid = 5 };
    }

    [Theory]
    [InlineData("a b", "x prev_pid=9")]
    [InlineData("", "==> next_comm=")]
    [InlineData("9 [001] 1.1: x", "-3 [000] 2.1: e:")]
    [InlineData("a prev_prio=1", "[ns] ")]
    public void NamesOfTasks_MayHoldAnything(string prev, string next)
    {
        foreach (var format in Texts)
        {
            var made = new TraceEvent("sched_switch", 1000,
                new("prev_comm", 0, prev), new("prev_pid", 7), new("prev_prio", 120), new("prev_state", 0, "S"),
                new("next_comm", 0, next), new("next_pid", 8), new("next_prio", 1))
            {
                System = "sched", Cpu = 1, Pid = 7, Comm = prev,
            };
            var bytes = new MemoryStream();
            TextWriters.Write(format, [made], bytes);
            bytes.Position = 0;
            using var reader = TraceReader.Open(bytes, "made", new() { Format = format });

            Made.Compare(reader, [made], isState: true);
        }
    }
}
