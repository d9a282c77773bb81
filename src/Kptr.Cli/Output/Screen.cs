using Spectre.Console;

namespace Kptr.Cli.Output;

/// <summary>When output is coloured.</summary>
internal enum ColorWhen
{
    /// <summary>On a terminal, unless <c>NO_COLOR</c> is set.</summary>
    Auto,

    /// <summary>Also into pipes and files.</summary>
    Always,

    /// <summary>Never.</summary>
    Never,
}

/// <summary>
/// Lines for a person: as they are where nobody looks at once, wrapped at their indent and coloured on a terminal.
/// </summary>
internal sealed class Screen
{
    private const int TextColumns = 80;
    private const int ColumnsMin = 20;
    private readonly TextWriter _output;
    private readonly IAnsiConsole? _console;

    private Screen(TextWriter output, IAnsiConsole? console)
    {
        _output = output;
        _console = console;
    }

    /// <summary>Standard output: lines are wrapped on a terminal alone.</summary>
    /// <remarks>Into a pipe with colours, lines are as long as <c>COLUMNS</c> says; without it, not wrapped.</remarks>
    public static Screen OfOutput(ColorWhen color) => Of(Console.Out, !Console.IsOutputRedirected, color);

    /// <summary>Standard error: lines are wrapped on a terminal alone.</summary>
    public static Screen OfErrors() => Of(Console.Error, !Console.IsErrorRedirected, ColorWhen.Auto);

    private static Screen Of(TextWriter output, bool isTerminal, ColorWhen color) =>
        !isTerminal && color != ColorWhen.Always
            ? new(output, null)
            : new(output, CreateConsole(output, color, isTerminal ? Console.WindowWidth : Columns()));

    /// <summary>Help and its like: wrapped everywhere, at 80 columns where there is no terminal.</summary>
    public static Screen OfText(TextWriter output)
    {
        var isTerminal = output == Console.Error ? !Console.IsErrorRedirected : !Console.IsOutputRedirected;
        return new(output, CreateConsole(
            output, isTerminal ? ColorWhen.Auto : ColorWhen.Never, isTerminal ? Console.WindowWidth : TextColumns));
    }

    /// <summary>Writes a line as it is: what stands in it has its place.</summary>
    public void Line(params ReadOnlySpan<Ink> inks)
    {
        if (_console is null)
        {
            foreach (var ink in inks)
            {
                _output.Write(ink.Text);
            }

            _output.WriteLine();
            return;
        }

        _console.Write(HangingLine.Unwrapped(inks));
    }

    /// <summary>Writes lines in which nothing is coloured or wrapped.</summary>
    public void Plain(string lines) => _output.WriteLine(lines);

    /// <summary>Writes a line whose continuations are indented by <paramref name="indent"/> columns.</summary>
    public void Hanging(int indent, params ReadOnlySpan<Ink> inks)
    {
        if (_console is null)
        {
            Line(inks);
        }
        else
        {
            _console.Write(HangingLine.Wrapped(inks, indent));
        }
    }

    private static IAnsiConsole CreateConsole(TextWriter output, ColorWhen color, int columns)
    {
        var noColor = color == ColorWhen.Never
            || (color == ColorWhen.Auto && Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 });
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            Interactive = InteractionSupport.No,
            Ansi = noColor ? AnsiSupport.No : color == ColorWhen.Always ? AnsiSupport.Yes : AnsiSupport.Detect,
            ColorSystem = noColor ? ColorSystemSupport.NoColors
                : color == ColorWhen.Always ? ColorSystemSupport.Standard : ColorSystemSupport.Detect,
        });
        console.Profile.Width = Math.Max(columns, ColumnsMin);
        return console;
    }

    private static int Columns() =>
        int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), out var columns) ? columns : int.MaxValue / 2;
}
