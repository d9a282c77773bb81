using System.Text;

namespace Kptr.Tracing.Tests;

/// <summary>What is wrong with a trace is said with its name, line and offset.</summary>
public class BrokenTraceTests
{
    private const string Good =
        "            bash-12      [000] d..2.    10.000001: sched_process_free: comm=a pid=3 prio=1\n";

    private const string GoodOfPerf = "            bash    12 [000]   1.000001: sched:x: a=1\n";

    public static TheoryData<TraceFormat, string, int, int> Broken => new()
    {
        { TraceFormat.Ftrace, Good + "what is this\n" + Good, 2, Good.Length },
        { TraceFormat.Ftrace, "# tracer: nop\n bash-12 [000] 1.5 sched_switch:\n", 2, 14 },
        { TraceFormat.PerfScript, GoodOfPerf + "bash 12 [0x] 1.0: y: z\n", 2, GoodOfPerf.Length },
        { TraceFormat.Chrome, """[{"name": "a", "ts": 1}, 5]""", 1, 26 },
        { TraceFormat.Chrome, "{\"traceEvents\": [\n{\"name\": \"a\"}]}", 2, 18 },
        { TraceFormat.Chrome, "{\"traceEvents\": [\n{\"name\": \"a\", \"ts\": 1", 2, 38 },
        { TraceFormat.Chrome, """{"systemTraceEvents": "x"}""", 1, 21 },
        { TraceFormat.Bpftrace, """
            {"type": "map", "data": {}}
            {"type": "printf", "data": "x\n"}
            """, 2, 28 },
        { TraceFormat.Bpftrace, "{\"type\": \"printf\", \"data\":", 1, 0 },
        { TraceFormat.Detect, "nothing that we know\n", 1, 0 },
        { TraceFormat.Detect, "", 1, 0 },
    };

    [Theory, MemberData(nameof(Broken))]
    public void Error_NamesItsPlace(TraceFormat format, string text, int line, int offset)
    {
        var reading = () => TraceReader.Open(Bytes(text), "a.trace", new() { Format = format }).Count();

        var error = reading.Should().Throw<TraceFormatException>().Which;
        (error.TraceName, error.Line, error.Offset).Should().Be(("a.trace", line, offset), error.Message);
        error.Message.Should().StartWith($"a.trace:{line} (byte {offset}): ").And.EndWith(error.Reason);
    }

    [Fact]
    public void BadLines_AreCountedWhereTheyAreSkipped()
    {
        using var reader = TraceReader.Open(
            Bytes(Good + "one\n\n" + Good + "two\n"), "a.trace", new() { SkipsBadLines = true });

        reader.Should().HaveCount(2);
        reader.BadLines.Should().Be(2);
        reader.FirstBadLines.Select(e => e.Line).Should().Equal(2, 5);
    }

    [Fact]
    public void EndlessLine_IsRefused()
    {
        var reading = () => TraceReader.Open(
            Bytes(Good + new string('x', 2_000_000)), "a.trace", new() { SkipsBadLines = true }).Count();

        reading.Should().Throw<TraceFormatException>().Which.Line.Should().Be(2);
    }

    [Fact]
    public void EndlessString_IsRefused()
    {
        var text = "[\n{\"name\": \"a\", \"ts\": 1},\n{\"name\": \"" + new string('x', 2_000_000);
        var reading = () => TraceReader.Open(Bytes(text), "a.json").Count();

        var error = reading.Should().Throw<TraceFormatException>().Which;
        (error.Line, error.Reason).Should().Be((3, "a string or number is longer than 1048576 bytes"));
    }

    [Fact]
    public void ArrayOfEvents_MayBeLeftOpen()
    {
        TraceReader.Open(Bytes("""[{"name": "a", "ts": 1.5}, {"name": "b", "ts": 2},"""), "a.trace")
            .Select(e => (e.Name, e.TimestampNs)).Should().Equal(("a", 1500), ("b", 2000));
    }

    [Fact]
    public void CutOffDat_SaysWhere()
    {
        var whole = new MemoryStream();
        Making.DatWriter.Write(7, Made.Events(new() { Events = 500 }), 4, whole);
        for (var length = 20; length < whole.Length; length += 997)
        {
            var bytes = whole.ToArray()[..length];
            var reading = () => TraceReader.Open(new MemoryStream(bytes), "a.dat").Count();

            var error = reading.Should().Throw<TraceFormatException>().Which;
            error.Offset.Should().BeInRange(0, length);
            error.Message.Should().StartWith($"a.dat (byte {error.Offset}): ");
        }
    }

    [Theory]
    [InlineData("CPU:3 [LOST 12 EVENTS]", 12, 3)]
    [InlineData("CPU:1 [7 EVENTS DROPPED]", 7, 1)]
    [InlineData("CPU:1 [EVENTS DROPPED]", 0, 1)]
    public void LostEvents_OfFtrace_AreEvents(string line, int count, int cpu)
    {
        using var reader = TraceReader.Open(Bytes(Good + line + "\n"), "a.trace");

        var lost = reader.Last();
        (lost.Name, lost.Fields[0].Number, lost.Cpu, lost.TimestampNs).Should().Be(
            (TraceEvent.LostEvents, count, cpu, 10_000_001_000));
    }

    [Fact]
    public void ToolsFormsOfALine_AreRead()
    {
        var text = """
            cpus=2
            CPU 1 is empty
                        bash-22216 [000]  2123.932113: sched_switch:         bash:22216 [120] S ==> a b:c:22222 [98]
                        bash-22216 [000]  2123.932114: sched_wakeup_new:     bash:22222 [120] CPU:003
                bash-22216   1d..2.  2123.932115: sched_wakeup:         bash:5 [120]<CANT FIND FIELD success> CPU:001
                        bash-22216 (  22215) [000] .....  2123.932116: my_event: a=1 name=x y, z=0x10 text
                        bash-22216 (-------) [000] .....  2123.932117: print: hello = there
             => some_function
                        bash-22216 [000] d..2.  2123.932118: sched_switch: prev_comm=a prev_pid=1 prev_prio=2
            """;
        var read = TraceReader.Open(Bytes(text), "a.trace").ToList();

        read.Should().HaveCount(6);
        read[0].ToString().Should().EndWith("prev_comm=bash prev_pid=22216 prev_prio=120 prev_state=S next_comm=a b:c "
            + "next_pid=22222 next_prio=98");
        read[1].Fields.Should().Equal(new TraceField("comm", 0, "bash"), new("pid", 22222), new("prio", 120),
            new("target_cpu", 3));
        (read[2].Cpu, read[2].Fields[^1].Number).Should().Be((1, 1));
        read[3].Fields.Should().Equal(new("a", 1), new("name", 0, "x y"), new TraceField("z", 0, "0x10 text"));
        (read[3].Tgid, read[4].Tgid, read[4].Pid).Should().Be((22215, -1, 22216));
        read[5].TryGetInt32("prev_pid", out _).Should().BeTrue("what is there of a line that is cut is read");
    }

    [Fact]
    public void PerfsFormsOfALine_AreRead()
    {
        var text = """
            # captured on : then

                        :-1    -1 [001]  1907.536534:  sched:sched_stat_runtime: comm=python3 pid=21165 runtime=9 [ns]
                       perf 21110/21111 [000]  1907.420481123:          1 cpu-clock:
            TABffffffff811d1a90 some_function+0x10 ([kernel.kallsyms])
            TAB    7f4e5cbd3e2a [unknown] (/usr/lib/libc.so.6)

                       perf 21110 [000]  1907.420482: PERF_RECORD_FORK(21112:21112):(21110:21110)
            """;
        var read = TraceReader.Open(Bytes(text.Replace("TAB", "\t")), "a.trace").ToList();

        read.Select(e => (e.Name, e.Pid, e.Tgid, e.TimestampNs)).Should().Equal(
            ("sched_stat_runtime", -1, -1, 1907_536534_000),
            ("cpu-clock", 21111, 21110, 1907_420481_123),
            ("PERF_RECORD_FORK", 21110, -1, 1907_420482_000));
    }

    private static MemoryStream Bytes(string text) => new(Encoding.UTF8.GetBytes(text));
}
