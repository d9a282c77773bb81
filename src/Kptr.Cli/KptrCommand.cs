using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.CommandLine;
using Kptr.Cli.Check;
using Kptr.Cli.Completion;
using Kptr.Cli.Explain;
using Kptr.Cli.Help;
using Kptr.Cli.Inspect;
using Kptr.Cli.Output;
using Kptr.Cli.Plugin;
using Kptr.Cli.Run;
using Kptr.Diagnostics;

namespace Kptr.Cli;

/// <summary><c>kptr</c>: the commands, and how a command line becomes an exit code.</summary>
internal static class KptrCommand
{
    private const string HelpName = "help";

    /// <summary>Runs one command line; what it prints is written when this returns.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static int Run(string[] args) => Run(args, OutputStream.OpenOutput(), OutputStream.OpenErrors());

    /// <summary>The same, with what it prints going elsewhere; the process's console is set to that.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        Console.SetOut(output);
        Console.SetError(errors);
        try
        {
            var exit = Run(Create().Parse(args));
            Console.Out.Flush();
            return exit;
        }
        catch (FormatException) when (args is [['[', ..], ..])
        {
            // The parser's own directive for completion takes a number, and says so by this.
            Complaint.Say($"'{args[0]}' is no place in a line");
            return ExitCodes.Unusable;
        }
        catch (OutputFailedException e)
        {
            if (!e.IsClosed)
            {
                Complaint.Say($"cannot write the output: {e.Message}");
            }

            return ExitCodes.Unusable;
        }
    }

    private static RootCommand Create()
    {
        var root = new RootCommand("Checks, shows and runs BPF objects as Linux would, without a kernel.")
        {
            CheckCommand.Create(),
            InspectCommand.Create(),
            RunCommand.Create(),
            ExplainCommand.Create(),
            PluginCommand.Create(),
            CompletionCommand.Create(),
        };
        root.Add(CreateHelp(root));
        root.Options.OfType<HelpOption>().Single().Action = new ShowHelp();
        return root;
    }

    private static Command CreateHelp(RootCommand root)
    {
        var name = new Argument<string?>("COMMAND") { Arity = ArgumentArity.ZeroOrOne, Description = "The command." };
        name.CompletionSources.Add(_ => Commands(root).Select(n => new CompletionItem(n)));
        name.Validators.Add(r =>
        {
            if (r.Tokens is [var token] && !Commands(root).Contains(token.Value))
            {
                r.AddError(NoCommand(root, token.Value));
            }
        });
        var help = new Command(HelpName, "Says how kptr or one of its commands is used.") { name };
        help.SetAction(parsed =>
        {
            var wanted = root.Subcommands.FirstOrDefault(c => c.Name == parsed.GetValue(name));
            HelpText.WriteAll(Screen.OfText(Console.Out), wanted ?? root);
            return ExitCodes.Ok;
        });
        return help;
    }

    private static int Run(ParseResult parsed)
    {
        var root = (RootCommand)parsed.RootCommandResult.Command;
        var isEmpty = parsed.Tokens.Any(t => t.Value.Length == 0); // no file, program or value has an empty name
        if (parsed.Errors.Count == 0 && !isEmpty)
        {
            return parsed.Invoke(new() { EnableDefaultExceptionHandler = false });
        }

        var command = parsed.CommandResult.Command;
        foreach (var error in command is not RootCommand ? parsed.Errors.Select(e => e.Message)
            : parsed.UnmatchedTokens is [var word, ..] ? [NoCommand(root, word)] : ["it takes a command"])
        {
            Complaint.Say(error);
        }

        if (isEmpty)
        {
            Complaint.Say("an argument is empty");
        }

        Console.Error.WriteLine();
        HelpText.WriteUsage(Screen.OfText(Console.Error), command);
        return ExitCodes.Unusable;
    }

    private static IEnumerable<string> Commands(RootCommand root) => root.Subcommands.Select(c => c.Name);

    private static string NoCommand(RootCommand root, string word) => word.StartsWith('-')
        ? $"there is no option '{word}'; {NearNames.Text(word, root.Options.Select(o => o.Name))}"
        : $"there is no command '{word}'; {NearNames.Text(word, Commands(root))}";
}
