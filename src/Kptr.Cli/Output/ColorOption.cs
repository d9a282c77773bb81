using System.CommandLine;

namespace Kptr.Cli.Output;

/// <summary><c>--color WHEN</c>.</summary>
internal static class ColorOption
{
    public static Option<string> Color { get; } = Make();

    public static ColorWhen Read(ParseResult parsed) =>
        Enum.Parse<ColorWhen>(parsed.GetValue(Color)!, ignoreCase: true);

    private static Option<string> Make()
    {
        var option = new Option<string>("--color")
        {
            Description = "When output is coloured: auto (on a terminal, unless NO_COLOR is set), always or never.",
            HelpName = "WHEN",
            DefaultValueFactory = _ => "auto",
        };
        option.AcceptOnlyFromAmong("auto", "always", "never");
        return option;
    }
}
