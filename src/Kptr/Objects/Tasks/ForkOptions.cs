using System.Collections.Immutable;

namespace Kptr.Objects;

/// <summary>What a new task is to be, where a trace or a test says it; what is left out is as a plain fork.</summary>
/// <remarks>Kernel: <c>clone3(2)</c> with <c>set_tid</c> (<c>alloc_pid</c>, kernel/pid.c, 6.12).</remarks>
public sealed record ForkOptions
{
    /// <summary>Its name, of which 15 bytes are kept; null inherits the maker's.</summary>
    public string? Comm { get; init; }

    /// <summary>What it shares with its maker.</summary>
    public CloneFlags Flags { get; init; }

    /// <summary>Its number in the first namespace (<c>task->pid</c>); null lets the kernel choose.</summary>
    public int? Pid
    {
        get => Pids.IsDefaultOrEmpty ? null : Pids[0];
        init => Pids = value is { } pid ? [pid] : [];
    }

    /// <summary>
    /// Its numbers from the first namespace down to its own, in the order of <c>NSpid</c> in <c>/proc/PID/status</c>;
    /// the kernel chooses those that are not named.
    /// </summary>
    /// <remarks>
    /// A number is from 1 to <see cref="TaskTable.PidMax"/> - 1 and unused; a new namespace begins with 1. Numbers that
    /// the kernel chooses later go on where they were, past what is in use, as in Linux.
    /// </remarks>
    public ImmutableArray<int> Pids
    {
        get;
        init => field = value.IsDefault ? [] : value;
    } = [];

    /// <summary>
    /// The process that it is of: the maker's makes a thread of it, its own <see cref="Pid"/> a process. Null: as
    /// <see cref="Flags"/> say.
    /// </summary>
    public int? Tgid { get; init; }

    /// <summary>When it was made, in nanoseconds since boot and not later than now; null: now.</summary>
    public long? StartTimeNs { get; init; }

    /// <summary>How a report of an error names it.</summary>
    public override string ToString() =>
        $"fork of {(Pid is { } pid ? $"pid {pid}" : "any pid")}{(Tgid is { } tgid ? $" of process {tgid}" : "")}";
}
