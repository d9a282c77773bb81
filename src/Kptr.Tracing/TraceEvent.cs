using System.Globalization;

namespace Kptr.Tracing;

/// <summary>One event of a trace. It does not change, and stays valid after the reader has gone on.</summary>
/// <remarks>
/// Fields have the names of the event's format in tracefs whatever the trace's own form, so that the parent of a fork
/// is <c>parent_pid</c> in all of them.
/// </remarks>
public sealed class TraceEvent
{
    /// <summary>
    /// <see cref="Name"/> of what readers make of "events were lost here": field <c>events</c> has how many, 0 where
    /// the trace does not say.
    /// </summary>
    public const string LostEvents = "lost_events";

    private readonly TraceField[] _fields;

    /// <summary>Makes an event, as readers do.</summary>
    /// <param name="name">Its name, without the system.</param>
    /// <param name="timestampNs">When, in nanoseconds of the trace's own clock.</param>
    /// <param name="fields">Its fields; taken over, not copied.</param>
    public TraceEvent(string name, long timestampNs, params TraceField[] fields)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(fields);
        Name = name;
        TimestampNs = timestampNs;
        _fields = fields;
    }

    /// <summary>Its name, without the system (<c>sched_switch</c>).</summary>
    public string Name { get; }

    /// <summary>The system it belongs to (<c>sched</c>); empty where the trace does not say.</summary>
    public string System { get; init; } = "";

    /// <summary>When, in nanoseconds of the trace's own clock.</summary>
    public long TimestampNs { get; }

    /// <summary>The CPU it happened on; -1 where the trace does not say.</summary>
    public int Cpu { get; init; } = -1;

    /// <summary>The thread that ran (the kernel's <c>pid</c>); -1 where the trace does not say.</summary>
    public int Pid { get; init; } = -1;

    /// <summary>The process of that thread; -1 where the trace does not say.</summary>
    public int Tgid { get; init; } = -1;

    /// <summary>
    /// Name of the thread that ran, as the trace has it. Tools look names up when they print, so that it may be the
    /// name from before or after an exec. Empty where the trace does not say.
    /// </summary>
    public string Comm { get; init; } = "";

    /// <summary>Its fields, in the order of its format.</summary>
    public IReadOnlyList<TraceField> Fields => _fields;

    /// <summary>Line of the trace, from 1; 0 in a binary one.</summary>
    public long Line { get; init; }

    /// <summary>Where its line or record begins, in bytes from the start of the trace.</summary>
    public long Offset { get; init; }

    /// <summary>
    /// The record as the kernel wrote it, common fields included; empty unless
    /// <see cref="TraceReaderOptions.KeepsRecords"/>, and in traces that are text.
    /// </summary>
    public ReadOnlyMemory<byte> Record { get; init; }

    /// <summary>Looks a number up.</summary>
    /// <returns>False when there is no such field, or it is text.</returns>
    public bool TryGetNumber(string field, out long number)
    {
        foreach (ref readonly var at in _fields.AsSpan())
        {
            if (at.Text is null && at.Name == field)
            {
                number = at.Number;
                return true;
            }
        }

        number = 0;
        return false;
    }

    /// <summary>Looks a number up that must fit 32 bits, such as a pid.</summary>
    /// <returns>False when there is no such field, it is text, or it does not fit.</returns>
    public bool TryGetInt32(string field, out int number)
    {
        var found = TryGetNumber(field, out var wide) && wide is >= int.MinValue and <= int.MaxValue;
        number = found ? (int)wide : 0;
        return found;
    }

    /// <summary>The text of a field; null when there is no such field, or it is a number.</summary>
    public string? TextOf(string field)
    {
        foreach (ref readonly var at in _fields.AsSpan())
        {
            if (at.Name == field)
            {
                return at.Text;
            }
        }

        return null;
    }

    /// <summary>The event as a line of ftrace text.</summary>
    public override string ToString()
    {
        var (seconds, nanos) = Math.DivRem(TimestampNs, 1_000_000_000);
        var head = string.Create(
            CultureInfo.InvariantCulture, $"{Comm}-{Pid} [{Cpu:000}] {seconds}.{Math.Abs(nanos):000000000}: {Name}:");
        return _fields.Length == 0 ? head : $"{head} {string.Join(' ', _fields)}";
    }

    /// <summary>The fields themselves, for what walks them often.</summary>
    internal ReadOnlySpan<TraceField> FieldSpan => _fields;
}
