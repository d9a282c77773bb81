using System.CommandLine;
using Kptr.Cli.Output;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Cli.Check;

/// <summary><c>kptr check FILE...</c>: judges every program of each object.</summary>
internal static class CheckCommand
{
    private const int JobsMax = 1024;
    private static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "BPF objects (clang's ELF files), directories with them (*.o), or patterns.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string?> Program =
        new("--program") { Description = "Judge only the program with this name.", HelpName = "NAME" };
    private static readonly Option<string> Format = new("--format")
    {
        Description = "How verdicts are printed: text, json (an object a line and program), sarif (2.1.0), github "
            + "(workflow commands) or html (a page in one file). Default: text.",
        HelpName = "FORMAT",
        DefaultValueFactory = _ => "text",
    };

    private static readonly Option<string?> Only = new("--only")
    {
        Description = "Print only programs that are accepted, rejected or unsupported; all are judged and counted.",
        HelpName = "VERDICT",
    };

    private static readonly Option<int> Jobs = new("--jobs", "-j")
    {
        Description = "How many objects are judged at a time. Default: as many as there are processors.",
        HelpName = "N",
        DefaultValueFactory = _ => Environment.ProcessorCount,
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
        Format.AcceptOnlyFromAmong("text", "json", "sarif", "github", "html");
        Only.AcceptOnlyFromAmong(VerdictWords.Participles);
        NumberOption.RequireRange(Jobs, 1, JobsMax);
        NumberOption.RequireRange(LogLevel, 0, 2);
        var command = new Command(
            "check", "Judges every program of each object as Linux's verifier would.")
        {
            Files, Program, KernelOptions.KernelBtf, KernelOptions.ModuleBtf, KernelOptions.Profiles,
            KernelOptions.Kernels, KernelOptions.Nearest, Strict, Jobs, Format, Only, LogLevel,
            ColorOption.Color,
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
            var kernels = KernelOptions.ReadAll(parsed, Complaint.Say);
            return Judge(parsed, kernels);
        }
        catch (DiagnosticException e)
        {
            Complaint.Say(e.Diagnostics);
            return ExitCodes.Unusable;
        }
    }

    private static int Judge(ParseResult parsed, IReadOnlyList<KernelSpec> kernels)
    {
        var only = parsed.GetValue(Program);
        var shown = parsed.GetValue(Only);
        var writer = CreateWriter(parsed, kernels);
        using var owned = writer as IDisposable;
        var options = new ObjectCheckOptions
        {
            ProgName = only,
            Verify = new() { LogLevel = LogLevelOf(parsed), Strict = parsed.GetValue(Strict) },
        };
        var count = new VerdictCount();
        var files = InputFiles.Expand(parsed.GetValue(Files)!);
        using var progress = new Progress();
        foreach (var file in FileVerdicts.Of(files, kernels, options, parsed.GetValue(Jobs)))
        {
            progress.Clear();
            Complaint.Say(file.Faults); // the others are judged all the same
            foreach (var fault in file.Faults)
            {
                writer.Refuse(fault);
            }

            foreach (var verdicts in file.Programs)
            {
                count.Add(verdicts);
                if (shown is null || shown == VerdictWords.Participle(VerdictCount.Worst(verdicts)))
                {
                    writer.Write(file.Path, verdicts);
                }
            }

            if (!Console.IsOutputRedirected)
            {
                Console.Out.Flush();
            }

            count.AddFile(file.Faults.IsEmpty);
            var done = count.Files + count.Unreadable;
            if (done < files.Count && progress.IsDue())
            {
                progress.Show($"{done} of {files.Count} objects");
            }
        }

        progress.Clear();
        writer.Finish(count);
        if (only is not null && count is { Programs: 0, Unreadable: 0 })
        {
            Complaint.Say($"no program is named '{only}'");
            return ExitCodes.Unusable;
        }

        return count.ExitCode;
    }

    // A page shows what the verifier knew at each step, which its log says.
    private static int LogLevelOf(ParseResult parsed) =>
        parsed.GetValue(Format) == "html" ? 2 : parsed.GetValue(LogLevel);

    private static IVerdictWriter CreateWriter(ParseResult parsed, IReadOnlyList<KernelSpec> kernels)
    {
        var withLog = parsed.GetValue(LogLevel) > 0;
        var paths = new SourcePaths(Environment.CurrentDirectory);
        switch (parsed.GetValue(Format))
        {
            case "json":
                return new JsonVerdictWriter(Console.Out, withLog);
            case "sarif":
                return new SarifVerdictWriter(Console.Out, paths);
            case "html":
                return new HtmlVerdictWriter(Console.Out);
            case "github":
                return new GithubVerdictWriter(Console.Out, paths);
        }

        var screen = Screen.OfOutput(ColorOption.Read(parsed));
        return kernels.Count > 1
            ? new ColumnVerdictWriter(screen, kernels, withLog)
            : new TextVerdictWriter(screen, withLog);
    }
}
