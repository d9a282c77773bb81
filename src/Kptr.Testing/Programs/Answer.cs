using System.Globalization;
using System.Security.Cryptography;
using Kptr.Execution;

namespace Kptr.Testing.Programs;

/// <summary>What came of one run that a script started.</summary>
/// <param name="Text">What it was run with, to be read.</param>
/// <param name="Result">What it answered; the same in every kernel that behaves the same.</param>
/// <param name="NotRun">Why it was not run; null where it was.</param>
internal sealed record Answer(string Text, string Result, string? NotRun = null)
{
    internal static Answer Of(string text, long value, RunFault? fault, ReadOnlySpan<byte> output = default) => new(
        text, fault is null
            ? value.ToString(CultureInfo.InvariantCulture) + OutputText(output)
            : $"{fault.Code} at insn {fault.InsnIdx}");

    /// <summary>That it cannot be run by a script.</summary>
    internal static Answer Not(string why) => new("", "not run", why);

    private static string OutputText(ReadOnlySpan<byte> output) => output.IsEmpty
        ? "" : $", {output.Length} bytes ({Convert.ToHexStringLower(SHA256.HashData(output)[..4])})";
}
