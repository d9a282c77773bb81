using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>How much is tried.</summary>
public sealed record ConformanceOptions
{
    /// <summary>Where the random scripts come from; the same seed makes the same scripts.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Random scripts per policy; all checks share them.</summary>
    public int Scripts { get; init; } = 1000;

    /// <summary>Steps of a script at most.</summary>
    public int StepsMax { get; init; } = 30;

    /// <summary>Rounds of the checks that use threads.</summary>
    public int Rounds { get; init; } = 50;

    /// <summary>One of how many cells of the table of answers is tried; 1 for all.</summary>
    public int CellsOneIn { get; init; } = 1;

    /// <summary>After how long without a step an operation counts as one that never ends.</summary>
    public TimeSpan HangAfter { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Names of the checks to run; empty for all.</summary>
    public IReadOnlyList<string> Only
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Only));
    } = [];

    /// <summary>Under which destroy policies.</summary>
    public IReadOnlyList<DestroyBehavior> Policies
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Policies));
    } = [DestroyBehavior.Eager, DestroyBehavior.Recycle];

    /// <summary>Seed, amount and policies.</summary>
    public override string ToString() =>
        $"seed {Seed}, {Scripts} scripts of at most {StepsMax} steps, {Rounds} rounds; {string.Join(", ", Policies)}"
        + (Only.Count == 0 ? "" : $"; only {string.Join(", ", Only)}");

    /// <summary>Refuses what would try nothing: a check that was not tried must not pass.</summary>
    internal void ThrowIfNothingIsTried()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Scripts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(StepsMax, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Rounds, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(CellsOneIn, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(HangAfter, TimeSpan.Zero);
        if (Policies.Count == 0)
        {
            throw new ArgumentException("no destroy policy to try under", nameof(Policies));
        }
    }
}
