namespace Kptr.Tracing;

/// <summary>What a trace looks like.</summary>
public enum TraceFormat
{
    /// <summary>Found out from the first bytes.</summary>
    Detect,

    /// <summary>Text of <c>perf script</c>.</summary>
    PerfScript,

    /// <summary>Text of tracefs's <c>trace</c> and <c>trace_pipe</c> files, and of <c>trace-cmd report</c>.</summary>
    Ftrace,

    /// <summary><c>trace.dat</c>, as <c>trace-cmd record</c> writes it.</summary>
    TraceDat,

    /// <summary>JSON of Chrome's trace viewer, which Perfetto reads and writes too.</summary>
    Chrome,

    /// <summary><c>bpftrace -f json</c> of a script that prints lines of ftrace text.</summary>
    Bpftrace,
}
