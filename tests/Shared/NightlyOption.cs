using System.Globalization;

namespace Kptr.Tests.Shared;

/// <summary>What the environment says of how much is tried; <c>tests/README.md</c> lists the variables.</summary>
internal static class NightlyOption
{
    /// <summary>One of how many cells of a table is tried: each with <c>KPTR_SWEEP=all</c>.</summary>
    /// <param name="quick">Otherwise.</param>
    internal static int SweepOneIn(int quick) =>
        Environment.GetEnvironmentVariable("KPTR_SWEEP") == "all" ? 1 : quick;

    /// <summary>The number that a variable has.</summary>
    /// <param name="name">The variable.</param>
    /// <param name="otherwise">Where it is not set, or empty.</param>
    /// <exception cref="FormatException">It is no number.</exception>
    internal static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
            ? int.Parse(value, CultureInfo.InvariantCulture)
            : otherwise;
}
