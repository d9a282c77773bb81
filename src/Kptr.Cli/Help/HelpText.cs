using System.CommandLine;
using Kptr.Cli.Output;

namespace Kptr.Cli.Help;

/// <summary>How a command is used, made of its arguments and options and of its <see cref="HelpPage"/>.</summary>
internal static class HelpText
{
    private const int LabelColumnsMax = 26;

    /// <summary>Everything: what it does, usage, options, exit codes, examples.</summary>
    public static void WriteAll(Screen screen, Command command)
    {
        screen.Hanging(0, command.Description ?? "");
        screen.Line();
        WriteUsage(screen, command);
        var page = HelpPage.Of(command);
        WriteRows(screen, "Exit codes", page.ExitCodes);
        WriteExamples(screen, page);
        if (page.SeeAlso.Length > 0)
        {
            Title(screen, "See also");
            screen.Hanging(2, "  " + page.SeeAlso);
        }
    }

    /// <summary>Usage, commands, arguments and options: what helps who made a mistake.</summary>
    public static void WriteUsage(Screen screen, Command command)
    {
        screen.Hanging(11, Ink.Strong("Usage:"), $" {Usage(command)}");
        WriteRows(screen, "Commands", [.. command.Subcommands.Select(c => (c.Name, c.Description ?? ""))]);
        WriteRows(screen, "Arguments", [.. command.Arguments.Select(a => (a.Name, a.Description ?? ""))]);
        foreach (var group in command.Options.Where(o => !o.Hidden).GroupBy(HelpPage.GroupOf))
        {
            WriteRows(screen, group.Key, [.. group.Select(o => (Label(o), o.Description ?? ""))]);
        }

        if (command is not RootCommand)
        {
            WriteRows(screen, "Everywhere", [("-h, --help", "Show this.")]);
        }
    }

    private static string Usage(Command command)
    {
        if (command is RootCommand)
        {
            return "kptr COMMAND [OPTION]... [FILE]...";
        }

        var arguments = command.Arguments.Select(a => (a.Arity.MinimumNumberOfValues, a.Arity.MaximumNumberOfValues)
            switch
            {
                (0, 1) => $" [{a.Name}]",
                (0, _) => $" [{a.Name}]...",
                (_, 1) => $" {a.Name}",
                _ => $" {a.Name}...",
            });
        return $"kptr {command.Name}{(command.Options.Count > 0 ? " [OPTION]..." : "")}{string.Concat(arguments)}";
    }

    private static string Label(Option option) =>
        string.Join(", ", option.Aliases.Where(a => !a.StartsWith('/') && a != "-?")
            .OrderBy(a => a.Length).Append(option.Name))
        + (option.HelpName is { } value ? " " + value : "");

    private static void WriteRows(Screen screen, string title, (string Label, string Text)[] rows)
    {
        if (rows.Length == 0)
        {
            return;
        }

        Title(screen, title);
        var width = Math.Min(rows.Max(r => r.Label.Length), LabelColumnsMax);
        foreach (var (label, text) in rows)
        {
            // A label that is too long has a line of its own.
            if (label.Length > width)
            {
                screen.Line("  ", Ink.Note(label));
                screen.Hanging(width + 4, new string(' ', width + 4), text);
            }
            else
            {
                screen.Hanging(width + 4, "  ", Ink.Note(label.PadRight(width)), "  ", text);
            }
        }
    }

    private static void WriteExamples(Screen screen, HelpPage page)
    {
        if (page.Examples.Length == 0)
        {
            return;
        }

        Title(screen, "Examples");
        foreach (var (line, text) in page.Examples)
        {
            screen.Line("  ", Ink.Note(line));
            screen.Hanging(6, "      ", text);
        }
    }

    private static void Title(Screen screen, string title)
    {
        screen.Line();
        screen.Line(Ink.Strong(title + ":"));
    }
}
