using System.Globalization;
using System.Text.RegularExpressions;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>
/// What the verifier knew behind each step of a path, out of its log: the failing path is the last that the log tells.
/// </summary>
internal static partial class PathStates
{
    /// <param name="result">A refusal, with the log of every instruction (level 2).</param>
    /// <returns>For each step of the story its state, or null where the log has none.</returns>
    public static string?[] Of(VerifyResult result)
    {
        var steps = result.Story?.Steps ?? [];
        var states = new string?[steps.Length];
        var lines = result.Log.Split('\n');
        var at = steps.Length - 1;

        // Backwards: steps of one instruction share its line.
        for (var i = lines.Length - 1; i >= 0 && at >= 0; i--)
        {
            if (Instruction().Match(lines[i]) is not { Success: true } match
                || int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) != steps[at].InsnIdx)
            {
                continue;
            }

            var state = match.Groups[2].Success ? match.Groups[2].Value.Trim() : Apart(lines, i) ?? Before(lines, i);
            for (var insn = steps[at].InsnIdx; at >= 0 && steps[at].InsnIdx == insn; at--)
            {
                states[at] = state;
            }
        }

        return states;
    }

    // Where precision was traced back meanwhile, the state stands on a line of its own.
    private static string? Apart(string[] lines, int at)
    {
        var next = at + 1;
        while (next < lines.Length && lines[next].StartsWith("mark_precise: ", StringComparison.Ordinal))
        {
            next++;
        }

        return next > at + 1 && next < lines.Length && StateAlone().Match(lines[next]) is { Success: true } match
            ? match.Groups[1].Value.Trim() : null;
    }

    // An instruction that is refused has no state behind it.
    private static string? Before(string[] lines, int at)
    {
        for (var i = at - 1; i >= 0; i--)
        {
            if (Instruction().Match(lines[i]) is { Success: true } match && match.Groups[2].Success)
            {
                return $"before it, of what instruction {match.Groups[1].Value} touched: "
                    + match.Groups[2].Value.Trim();
            }
        }

        return null;
    }

    [GeneratedRegex(@"^(\d+): \([0-9a-f]{2}\)[^;]*(?:; (.*))?$")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"^\d+:((?: (?:R\d|fp-|frame\d).*)?)$")]
    private static partial Regex StateAlone();
}
