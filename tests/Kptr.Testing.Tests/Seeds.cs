using System.Globalization;

namespace Kptr.Testing.Tests;

/// <summary>How many seeds are tried: KPTR_CONFORMANCE_SEEDS=100 for a night's run.</summary>
internal static class Seeds
{
    internal static int Count { get; } = int.Parse(
        Environment.GetEnvironmentVariable("KPTR_CONFORMANCE_SEEDS") ?? "2", CultureInfo.InvariantCulture);
}
