using System.Globalization;

namespace Kptr.Testing.Tests;

/// <summary>How many seeds are tried: KPTR_CONFORMANCE_SEEDS=100 for a night's run.</summary>
internal static class Seeds
{
    /// <summary>For kinds whose checks take milliseconds.</summary>
    internal static int SoundCount => Math.Max(5, Count);

    internal static int Count { get; } = int.Parse(
        Environment.GetEnvironmentVariable("KPTR_CONFORMANCE_SEEDS") ?? "2", CultureInfo.InvariantCulture);
}
