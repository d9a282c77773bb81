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
        Description = "BPF objects (clang's ELF files), directories with them (*.o), or patterns.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Program =
        new("--program") { Description = "Judge only the program with this name.", HelpName = "NAME" };
    private static readonly Option<string> Format = new("--format")
    {
        Description = "How verdicts are printed: text or json (an object a line). Default: text.",
        HelpName = "FORMAT",
        DefaultValueFactory = _ => "text",
    };

    private static readonly Option<int> LogLevel = new("--log-level")
    {
        Description = "The verifier's log: 0 none, 1 paths of rejected programs, 2 every instruction.",
        HelpName = "0|1|2",
    };

    private static readonly Option<bool> Strict = new("--strict")
    {
        Description = "Refuse what Linux accepts although it may go wrong; without it, that is a warning.",
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
        var command = new Command(
            "check", "Judges every program of each object as Linux's verifier would.")
        {
            Files, Program, KernelOptions.KernelBtf, KernelOptions.ModuleBtf, KernelOptions.Profiles,
            KernelOptions.Kernels, KernelOptions.Nearest, Strict, Format, LogLevel,
        };
        InputFiles.RefuseOptions(Files, command);
        KernelOptions.RequireKernelForModules(command);
        KernelOptions.RequireOneChoice(command);
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        try
        {
            var kernels = KernelOptions.ReadAll(parsed, note => Console.Error.WriteLine($"kptr: {note}"));
            return Judge(parsed, kernels);
        }
        catch (DiagnosticException e)
        {
            Report(e);
            return ExitCodes.Unusable;
        }
    }

    private static void Report(DiagnosticException e)
    {
        foreach (var d in e.Diagnostics)
        {
            Console.Error.WriteLine($"kptr: {d}");
        }
    }

    private static int Judge(ParseResult parsed, IReadOnlyList<KernelSpec> kernels)
    {
        var only = parsed.GetValue(Program);
        var logLevel = parsed.GetValue(LogLevel);
        IVerdictWriter writer = parsed.GetValue(Format) == "json"
            ? new JsonVerdictWriter(Console.Out, withLog: logLevel > 0)
            : kernels.Count > 1 ? new ColumnVerdictWriter(Console.Out, kernels, withLog: logLevel > 0)
            : new TextVerdictWriter(Console.Out, withLog: logLevel > 0);
        var options = new ObjectCheckOptions
        {
            ProgName = only, Verify = new() { LogLevel = logLevel, Strict = parsed.GetValue(Strict) },
        };
        var (exit, judged) = (ExitCodes.Ok, 0);
        foreach (var file in InputFiles.Expand(parsed.GetValue(Files)!))
        {
            try
            {
                file.ThrowIfFault();
                foreach (var verdicts in ObjectCheck.Run(file.Path, kernels, options))
                {
                    judged++;
                    writer.Write(file.Path, verdicts);
                    var isTaken = verdicts.Kernels.All(k => k.Said.Verdict == Verdict.Accept);
                    exit = isTaken ? exit : Math.Max(exit, ExitCodes.Rejected);
                }
            }
            catch (DiagnosticException e)
            {
                Report(e); // the others are judged all the same
                exit = ExitCodes.Unusable;
            }
        }

        writer.Finish();

        if (only is not null && judged == 0 && exit != ExitCodes.Unusable)
        {
            Console.Error.WriteLine($"kptr: no program is named '{only}'");
            return ExitCodes.Unusable;
        }

        return exit;
    }
}
