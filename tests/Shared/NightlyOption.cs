using System.Globalization;

namespace Kptr.Tests.Shared;

/// <summary>What the environment says of how much is tried; <c>tests/README.md</c> lists the variables.</summary>
internal static class NightlyOption
{
    /// <summary>Whether every cell of a table is tried, <c>KPTR_SWEEP=all</c>, and not some of each row.</summary>
    internal static bool IsSweepWhole => Environment.GetEnvironmentVariable("KPTR_SWEEP") == "all";

    /// <summary>The number that a variable has.</summary>
    /// <param name="name">The variable.</param>
    /// <param name="otherwise">Where it is not set, or empty.</param>
    /// <exception cref="FormatException">It is no number.</exception>
    internal static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
            ? int.Parse(value, CultureInfo.InvariantCulture)
            : otherwise;
}
