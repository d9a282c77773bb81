namespace Kptr.Testing;

/// <summary>Which schedules are tried, and how many.</summary>
public sealed record InterleavingOptions
{
    /// <summary>How often a schedule takes the processor from a thread that could go on.</summary>
    public int Preemptions { get; init; } = 2;

    /// <summary>How many interrupts a schedule has.</summary>
    public int Interrupts { get; init; } = 1;

    /// <summary>How many stores a schedule keeps in a store buffer, with those after them; 0 for none.</summary>
    public int HeldStores { get; init; } = 1;

    /// <summary>Whose processor holds them.</summary>
    public MemoryOrder MemoryOrder { get; init; } = MemoryOrder.X86;

    /// <summary>How often <see cref="Interleavings.Fault"/> says yes in a schedule.</summary>
    public int Faults { get; init; } = 1;

    /// <summary>Random schedules by priority, after all up to the bounds.</summary>
    public int RandomSchedules { get; init; } = 100;

    /// <summary>Where the random schedules come from.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Schedules at most.</summary>
    public int SchedulesMax { get; init; } = 200_000;

    /// <summary>Time at most.</summary>
    public TimeSpan TimeMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Steps of a schedule; one with more counts as one that never ends.</summary>
    public int StepsMax { get; init; } = 100_000;
}
