using System.CommandLine;
using System.Globalization;

namespace Kptr.Cli;

/// <summary>Options whose value is a number of a range.</summary>
internal static class NumberOption
{
    /// <summary>Refuses what is no such number.</summary>
    public static void RequireRange(Option<int> option, int min, int max) => option.Validators.Add(r =>
    {
        // The parser's own conversion throws for what is no number at all.
        if (r.Tokens is [var token] && (!int.TryParse(
            token.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            || value < min || value > max))
        {
            r.AddError($"{option.Name} takes {min} to {max}, not '{token.Value}'.");
        }
    });
}
