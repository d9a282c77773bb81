using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using Kptr.Cli.Output;
using Kptr.Diagnostics;

namespace Kptr.Cli.Explain;

/// <summary>
/// <c>kptr explain CODE</c>: what a diagnostic means, a program that earns it, and the program mended.
/// </summary>
internal static class ExplainCommand
{
    private static readonly Argument<string?> Code = new("CODE")
    {
        Description = "A code's name (UnreleasedRef) or number (5000). Without one, all codes are listed.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command Create()
    {
        Code.CompletionSources.Add(_ => CodePages.Codes.Select(c => new CompletionItem(c.ToString())));
        var command = new Command("explain", "Says what a diagnostic's code means, and how a program is mended.")
        {
            Code,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var screen = Screen.OfText(Console.Out);
        if (parsed.GetValue(Code) is not { } wanted)
        {
            foreach (var code in CodePages.Codes)
            {
                screen.Hanging(6, $"{(int)code}  ", Ink.Note(code.ToString()), $"  {CodePages.Find(code)!.Summary}");
            }

            return ExitCodes.Ok;
        }

        if (Find(wanted) is not { } page)
        {
            Complaint.Say($"there is no code '{wanted}'; "
                + NearNames.Text(wanted, CodePages.Codes.Select(c => c.ToString())));
            return ExitCodes.Unusable;
        }

        screen.Line(Ink.Strong($"{page.Code} ({(int)page.Code})"));
        screen.Line();
        var isProgram = false;
        foreach (var line in page.Lines)
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                isProgram = !isProgram;
            }
            else if (isProgram)
            {
                screen.Line("    " + line);
            }
            else
            {
                screen.Hanging(0, line);
            }
        }

        return ExitCodes.Ok;
    }

    private static CodePage? Find(string wanted) =>
        int.TryParse(wanted, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? CodePages.Find((DiagCode)number)
            : CodePages.Codes.Where(c => string.Equals(c.ToString(), wanted, StringComparison.OrdinalIgnoreCase))
                .Select(CodePages.Find).FirstOrDefault();
}
