using System.CommandLine;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary><c>kptr check FILE...</c>: judges every program of each object.</summary>
internal static class CheckCommand
{
    private static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "BPF objects (clang's ELF files).",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Program =
        new("--program") { Description = "Judge only the program with this name.", HelpName = "NAME" };
    private static readonly Option<string> Format = new("--format")
    {
        Description = "How verdicts are printed.",
        DefaultValueFactory = _ => "text",
    };

    private static readonly Option<int> LogLevel = new("--log-level")
    {
        Description = "The verifier's log: 0 none, 1 paths of rejected programs, 2 every instruction.",
        HelpName = "0|1|2",
    };

    public static Command Create()
    {
        Format.AcceptOnlyFromAmong("text", "json");
        LogLevel.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<int>() is < 0 or > 2)
            {
                r.AddError("--log-level takes 0, 1 or 2.");
            }
        });
        var command = new Command("check", "Judges every program of each object as Linux's verifier would.")
        {
            Files, Program, KernelOptions.KernelBtf, KernelOptions.ModuleBtf, KernelOptions.Profile, Format, LogLevel,
        };
        KernelOptions.RequireKernelForModules(command);
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        try
        {
            var kernel = KernelOptions.Read(parsed);
            return Judge(parsed, kernel);
        }
        catch (DiagnosticException e)
        {
            foreach (var d in e.Diagnostics)
            {
                Console.Error.WriteLine($"kptr: {d}");
            }

            return ExitCodes.Unusable;
        }
    }

    private static int Judge(ParseResult parsed, KernelSpec kernel)
    {
        var only = parsed.GetValue(Program);
        var logLevel = parsed.GetValue(LogLevel);
        IVerdictWriter writer = parsed.GetValue(Format) == "json"
            ? new JsonVerdictWriter(Console.Out, withLog: logLevel > 0)
            : new TextVerdictWriter(Console.Out, withLog: logLevel > 0);
        var options = new ObjectCheckOptions { ProgName = only, Verify = new() { LogLevel = logLevel } };
        var (exit, judged) = (ExitCodes.Ok, 0);
        foreach (var file in parsed.GetValue(Files)!)
        {
            foreach (var verdict in ObjectCheck.Run(file, kernel, options))
            {
                judged++;
                writer.Write(file, verdict);
                exit = verdict.Verdict == Verdict.Accept ? exit : ExitCodes.Rejected;
            }
        }

        if (only is not null && judged == 0)
        {
            Console.Error.WriteLine($"kptr: no program is named '{only}'");
            return ExitCodes.Unusable;
        }

        return exit;
    }
}
