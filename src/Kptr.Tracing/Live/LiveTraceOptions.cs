namespace Kptr.Tracing;

/// <summary>How a machine's own trace is followed.</summary>
public sealed record LiveTraceOptions
{
    /// <summary>Where its trace file system is.</summary>
    public string Tracefs
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Tracefs));
    } = "/sys/kernel/tracing";

    /// <summary>Buffer for each CPU, in KiB; the machine drops events that do not fit.</summary>
    public int BufferKiB { get; init; } = 4096;

    /// <summary>Whether switches are traced too, from which CPU time is known. They are most of all events.</summary>
    public bool HasSwitches { get; init; } = true;
}
