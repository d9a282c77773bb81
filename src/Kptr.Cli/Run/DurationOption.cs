using System.CommandLine;
using System.Globalization;

namespace Kptr.Cli.Run;

/// <summary>Times on the command line and in scenarios: 30s, 10ms, 3us, 5ns, 2m.</summary>
internal static class DurationOption
{
    private static readonly (string Unit, double Seconds)[] Units =
        [("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600)];

    public static bool TryParse(string word, out TimeSpan time)
    {
        time = default;
        var unit = Array.Find(Units, u => word.EndsWith(u.Unit, StringComparison.Ordinal)
            && word.Length > u.Unit.Length && char.IsAsciiDigit(word[^(u.Unit.Length + 1)]));
        if (unit.Unit is null || !double.TryParse(word.AsSpan(0, word.Length - unit.Unit.Length),
            NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count)
            || count * unit.Seconds > TimeSpan.MaxValue.TotalSeconds / 2)
        {
            return false;
        }

        time = TimeSpan.FromTicks((long)Math.Round(count * unit.Seconds * TimeSpan.TicksPerSecond));
        return true;
    }

    public static void Require(Option<string?> option) => option.Validators.Add(r =>
    {
        if (r.Tokens is [var token] && (!TryParse(token.Value, out var time) || time <= TimeSpan.Zero))
        {
            r.AddError($"{option.Name} takes a time such as 30s or 500ms, not '{token.Value}'.");
        }
    });
}
