using System.Globalization;

namespace Kptr.Testing.Tests;

/// <summary>How many seeds are tried: KPTR_CONFORMANCE_SEEDS=100 for a night's run.</summary>
internal static class Seeds
{
    private const int QuickCount = 1;

    /// <summary>Whether somebody asked for more than the tests try by themselves.</summary>
    internal static bool IsNight => Count > QuickCount;

    /// <summary>For correct maps and programs, whose every check runs to its end.</summary>
    internal static int SoundCount => IsNight ? Count : 1;

    /// <summary>How long a correct map is asked by one seed: less in each test run than at night.</summary>
    internal static ConformanceOptions Sound(int seed) => new()
    {
        // Nearly all of a short run's time went into the table of answers, the same cells for each seed.
        Seed = seed, Scripts = IsNight ? 100 : 30, Rounds = IsNight ? 10 : 4, CellsOneIn = IsNight ? 1 : 10,
    };

    internal static int Count { get; } = int.Parse(
        Environment.GetEnvironmentVariable("KPTR_CONFORMANCE_SEEDS") ?? $"{QuickCount}", CultureInfo.InvariantCulture);
}
