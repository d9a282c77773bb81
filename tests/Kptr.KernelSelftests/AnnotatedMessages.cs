using System.Text;
using System.Text.RegularExpressions;

namespace Kptr.KernelSelftests;

/// <summary>The messages that the authors of a selftest demand of the verifier's log.</summary>
/// <remarks>
/// As the selftests' own loader does: each message is looked for behind the one before; <c>{{...}}</c> in a
/// message is a regular expression.
/// </remarks>
internal static class AnnotatedMessages
{
    /// <summary>The messages of a row, in their order.</summary>
    public static string[] Of(ExpectedRow row) =>
        row["expected_msgs"] is "" or "-" ? [] : [.. row["expected_msgs"].Split(" || ").Select(Unescape)];

    /// <summary>The first message that the log lacks, or null where it says them all.</summary>
    public static string? FirstMissing(string log, string[] messages)
    {
        var at = 0;
        foreach (var message in messages)
        {
            var hit = new Regex(Pattern(message), RegexOptions.Multiline).Match(log, at);
            if (!hit.Success)
            {
                return message;
            }

            at = hit.Index + hit.Length;
        }

        return null;
    }

    private static string Pattern(string message)
    {
        var pattern = new StringBuilder();
        foreach (var (part, at) in Regex.Split(message, @"\{\{(.*?)\}\}").Select((p, i) => (p, i)))
        {
            pattern.Append(at % 2 == 1 ? part : Regex.Escape(part));
        }

        // One table writes its numbers in the notation of basic regular expressions.
        return pattern.ToString().Replace(Regex.Escape(@"[0-9]\+"), "[0-9]+", StringComparison.Ordinal);
    }

    private static string Unescape(string text) =>
        Regex.Replace(text, @"\\(.)", m => m.Groups[1].Value switch { "n" => "\n", "t" => "\t", var other => other });
}
