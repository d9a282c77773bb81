using System.Globalization;

namespace Kptr.Testing.Tests;

/// <summary>How many seeds are tried: KPTR_CONFORMANCE_SEEDS=100 for a night's run.</summary>
internal static class Seeds
{
    private const int QuickCount = 2;

    /// <summary>Whether somebody asked for more than the tests try by themselves.</summary>
    internal static bool IsNight => Count > QuickCount;

    /// <summary>For correct maps and programs, whose every check runs to its end.</summary>
    internal static int SoundCount => IsNight ? Count : 1;

    internal static int Count { get; } = int.Parse(
        Environment.GetEnvironmentVariable("KPTR_CONFORMANCE_SEEDS") ?? $"{QuickCount}", CultureInfo.InvariantCulture);
}
