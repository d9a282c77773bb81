using System.Globalization;

namespace Kptr.Tracing;

/// <summary>What following a machine by its <c>/proc</c> saw.</summary>
public sealed record LiveProcReport
{
    /// <summary>How often it was looked at.</summary>
    public long Looks { get; init; }

    /// <summary>Tasks that were there at the first look.</summary>
    public long Found { get; init; }

    /// <summary>Tasks that began in between, and were forked in the model.</summary>
    public long Forked { get; init; }

    /// <summary>Tasks that were gone, and exited in the model.</summary>
    public long Exited { get; init; }

    /// <summary>Tasks that had another name: processes executed something in the model.</summary>
    public long Renamed { get; init; }

    /// <summary>Processes that were in another cgroup.</summary>
    public long Moved { get; init; }

    /// <summary>
    /// Forks that the machine counted in the meantime and that no look saw: tasks that lived between two looks. Null
    /// where the machine's count cannot be read; as it counts its containers' forks together, it may be too high there.
    /// </summary>
    public long? Missed { get; init; }

    /// <summary>How many tasks of the last look differ in the model in presence, name, process or cgroup.</summary>
    public int Differences { get; init; }

    /// <summary>What of the machine could not be read, at the last look.</summary>
    public IReadOnlyList<ProcGap> Gaps { get; init; } = [];

    /// <summary>The first of what the model refused.</summary>
    public IReadOnlyList<string> Refused { get; init; } = [];

    /// <summary>All of it in a few lines.</summary>
    public override string ToString() => string.Join('\n',
    [
        string.Create(CultureInfo.InvariantCulture, $"{Looks} looks: {Found} tasks at first, {Forked} forked, ")
            + string.Create(CultureInfo.InvariantCulture, $"{Exited} exited, {Renamed} renamed, {Moved} moved"),
        Missed is { } missed
            ? string.Create(CultureInfo.InvariantCulture, $"{missed} more were forked and gone between two looks")
            : "how many were gone between two looks is not known",
        string.Create(CultureInfo.InvariantCulture, $"{Differences} differences at the last look"),
        .. Gaps.Select(g => g.ToString()),
        .. Refused,
    ]);
}
