using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Kptr.Cli.Output;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tracing;

namespace Kptr.Cli.Run;

/// <summary><c>kptr run FILE</c>: loads an object into a model, lets something happen, and says what it pins.</summary>
internal static class RunCommand
{
    private const int CpusMax = 4096;
    private const int RowsMax = 1_000_000;
    private const int ProgressEvery = 1024;
    private const int DataBytesMax = 1 << 20;

    private static readonly Argument<string> File = new("FILE") { Description = "A BPF object (clang's ELF file)." };
    private static readonly Option<string[]> Programs = new("--program")
    {
        Description = "Load and attach this program; may be given several times. Default: all that load by themselves.",
        HelpName = "NAME",
    };

    private static readonly Option<string?> Trace = new("--trace")
    {
        Description = "A recorded trace happens: perf script, ftrace, trace-cmd (text or trace.dat), Chrome JSON or "
            + "bpftrace's JSON.",
        HelpName = "TRACE",
    };

    private static readonly Option<string?> Steps = new("--scenario")
    {
        Description = "The steps of a file happen: fork, exec, exit, reap, update, delete, advance...",
        HelpName = "STEPS",
    };

    private static readonly Option<string?> Test = new("--test")
    {
        Description = "One run of this program happens, with the bytes of --data.",
        HelpName = "NAME",
    };

    private static readonly Option<string?> Data = new("--data")
    {
        Description = "The packet, or for programs without packets the context, of --test.",
        HelpName = "BYTES",
    };

    private static readonly Option<string?> Proc = new("--proc")
    {
        Description = "Before anything happens, the model gets the tasks and cgroups of this machine, or of another's "
            + "/proc that was copied to proc and cgroup in a folder, or an archive of that by tar.",
        HelpName = "PLACE",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Live = new("--live")
    {
        Description = "What happens on this machine happens in the model, from its tasks on: by tracing where that is "
            + "permitted (root), else by looking at /proc, or as HOW says: trace or proc. Until interrupted, or --for.",
        HelpName = "HOW",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> For = new("--for")
    {
        Description = "How long --live follows: 30s, 500ms, 5m.",
        HelpName = "TIME",
    };

    private static readonly Option<int> Cpus = new("--cpus")
    {
        Description = "How many CPUs the model has; a trace needs as many as it names. Default: 64.",
        HelpName = "N",
        DefaultValueFactory = _ => 64,
    };

    private static readonly Option<int> Rows = new("--rows")
    {
        Description = "How many rows of a map are printed. Default: 100.",
        HelpName = "N",
        DefaultValueFactory = _ => 100,
    };

    private static readonly Option<string> Format = new("--format")
    {
        Description = "How it is printed: text, json or html (a page in one file). Default: text.",
        HelpName = "FORMAT",
        DefaultValueFactory = _ => "text",
    };

    public static Command Create()
    {
        Format.AcceptOnlyFromAmong("text", "json", "html");
        NumberOption.RequireRange(Cpus, 1, CpusMax);
        NumberOption.RequireRange(Rows, 1, RowsMax);
        Live.AcceptOnlyFromAmong("trace", "proc");
        DurationOption.Require(For);
        var command = new Command(
            "run", "Loads an object into a modelled kernel, lets something happen there, and says who pins what.")
        {
            File, Programs, Trace, Steps, Test, Data, Proc, Live, For, Cpus, KernelOptions.KernelBtf,
            KernelOptions.ModuleBtf, KernelOptions.Profile, Format, Rows, ColorOption.Color,
        };
        KernelOptions.RequireKernelForModules(command);
        command.Validators.Add(r =>
        {
            var given = new Option[] { Trace, Steps, Test, Live }
                .Where(o => r.GetResult(o) is { Implicit: false }).Select(o => o.Name).ToArray();
            if (given.Length > 1)
            {
                r.AddError($"{string.Join(" and ", given)} exclude each other.");
            }

            if (given.Length == 0 && r.GetResult(Proc) is null)
            {
                r.AddError("Nothing would happen: give --trace, --scenario, --test, --live or --proc.");
            }

            if (r.GetResult(For) is not null && !given.Contains(Live.Name))
            {
                r.AddError("--for needs --live.");
            }

            if (r.GetResult(Data) is not null && !given.Contains(Test.Name))
            {
                r.AddError("--data needs --test.");
            }
        });
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        try
        {
            return RunObject(parsed, parsed.GetValue(File)!);
        }
        catch (ProgramRejectedException e)
        {
            var screen = Screen.OfErrors();
            foreach (var (name, result) in e.Refused)
            {
                screen.Hanging(0, $"kptr: program {name} is not loaded:");
                Check.TextVerdictWriter.Explain(screen, result.Explanation, "    ");
            }

            return ExitCodes.Rejected;
        }
        catch (MapCreateException e)
        {
            Complaint.Say($"{parsed.GetValue(File)}: {e.Message} ({e.Code})");
            return ExitCodes.Rejected;
        }
        catch (DiagnosticException e)
        {
            Complaint.Say(e.Diagnostics);
            return ExitCodes.Unusable;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or TraceFormatException
            or PlatformNotSupportedException)
        {
            Complaint.Say(e.Message);
            return ExitCodes.Unusable;
        }
    }

    private static int RunObject(ParseResult parsed, string file)
    {
        // What can be read wrong is read before anything happens.
        var scenario = parsed.GetValue(Steps) is { } path ? Scenario.Read(path) : null;
        var data = parsed.GetValue(Data) is { } bytes ? FileBytes.Read(bytes, DataBytesMax) : [];
        using var session = new RunSession(file, new()
        {
            Kernel = KernelOptions.Read(parsed), LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual,
            CpuCount = parsed.GetValue(Cpus),
        }, parsed.GetValue(Programs) ?? []);
        if (parsed.GetResult(Proc) is not null && parsed.GetResult(Live) is null)
        {
            session.MakeMachine(parsed.GetValue(Proc));
        }

        session.Attach();
        if (parsed.GetResult(Live) is not null)
        {
            using var follower = new LiveRun(session);
            follower.Follow(parsed.GetValue(Live), parsed.GetValue(For));
        }
        else if (parsed.GetValue(Trace) is { } trace)
        {
            session.Replay = Replay(session.Kernel, trace);
        }
        else if (parsed.GetValue(Test) is { } name)
        {
            session.Tested = TestRun(session.Object, file, name, data);
        }
        else if (scenario is not null)
        {
            new ScenarioPlayer(session.Kernel, session.Object).Play(scenario);
        }

        session.Kernel.Quiesce();
        var report = RunReport.Of(file, session, parsed.GetValue(Rows));
        session.Close();
        switch (parsed.GetValue(Format))
        {
            case "json":
                JsonRunWriter.Write(Console.Out, session, report);
                break;
            case "html":
                HtmlRunWriter.Write(Console.Out, session, report);
                break;
            default:
                TextRunWriter.Write(Screen.OfOutput(ColorOption.Read(parsed)), session, report);
                break;
        }

        return session.FaultCount > 0 || session.Lost.Count > 0 ? ExitCodes.Faulted : ExitCodes.Ok;
    }

    private static TraceReplayReport Replay(KernelModel kernel, string trace)
    {
        using var reader = TraceReader.Open(trace, new() { SkipsBadLines = true, KeepsRecords = true });
        using var progress = new Progress();
        var clock = Stopwatch.StartNew();
        var length = new FileInfo(trace).Length;
        var report = new TraceReplay(kernel, new() { RaisesRecords = reader.Format == TraceFormat.TraceDat })
            .Run(Watched());
        if (reader.BadLines > 0)
        {
            Complaint.Say($"{trace}: {reader.BadLines} lines left out: {reader.FirstBadLines[0].Message}");
        }

        return report;

        IEnumerable<TraceEvent> Watched()
        {
            var count = 0L;
            foreach (var next in reader)
            {
                yield return next;
                if (++count % ProgressEvery == 0 && progress.IsDue())
                {
                    var part = length == 0 ? 1 : Math.Clamp((double)reader.PositionBytes / length, 0.001, 1);
                    var left = TimeSpan.FromSeconds(clock.Elapsed.TotalSeconds * ((1 - part) / part));
                    progress.Show(string.Create(CultureInfo.InvariantCulture,
                        $"{count} events, {count / clock.Elapsed.TotalSeconds:0} a second, {left:mm\\:ss} left"));
                }
            }
        }
    }

    private static TestOutput TestRun(BpfObject obj, string file, string name, byte[] data)
    {
        if (!obj.Programs.TryGetValue(name, out var program))
        {
            throw new DiagnosticException([new(DiagCode.FileUnreadable,
                $"no loaded program is named \"{name}\"; {NearNames.Text(name, obj.Programs.Keys)}") { File = file }]);
        }

        try
        {
            return program.TestRun(TestData.Of(program.Spec, data));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or InvalidOperationException)
        {
            throw new DiagnosticException([new(DiagCode.FileUnreadable, $"{name}: {e.Message}") { File = file }]);
        }
    }
}
