using System.Diagnostics;
using Kptr.Tests.Shared;

namespace Kptr.Cli.Tests;

/// <summary>The tool: as a process, as a user runs it, or within this one, which is there already.</summary>
internal static class KptrTool
{
    private static readonly Lock OneAtATime = new();

    private const int TimeoutMs = 120_000;

    public static string Root { get; } = RepoRoot.Path;

    public static string TrackerObject => Path.Combine(Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o");

    public static string LeakObject => Path.Combine(Root, "samples", "TaskTracker", "bpf", "task_leak.bpf.o");

    public static string DoubtfulObject => Path.Combine(Root, "tests", "data", "run", "doubtful.bpf.o");

    /// <summary>Runs it within this process: one console, so one at a time.</summary>
    public static ToolRun Run(params string[] args)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        lock (OneAtATime)
        {
            var (console, consoleErrors) = (Console.Out, Console.Error);
            try
            {
                var exit = KptrCommand.Run(args, output, errors);
                return new(exit, output.ToString(), errors.ToString());
            }
            finally
            {
                Console.SetOut(console);
                Console.SetError(consoleErrors);
            }
        }
    }

    /// <summary>Runs it as a process that reads the input.</summary>
    public static ToolRun RunWith(string input, params string[] args) => Run("dotnet", [Dll, .. args], input);

    /// <summary>Runs a line of the shell in which <c>kptr</c> is the tool.</summary>
    public static ToolRun RunShell(string line, params (string Name, string Value)[] environment) =>
        Run("bash", ["-c", $"kptr() {{ dotnet '{Dll}' \"$@\"; }}\n{line}"], "", environment);

    private static string Dll => Path.Combine(AppContext.BaseDirectory, "Kptr.Cli.dll");

    private static ToolRun Run(
        string program, string[] args, string input, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        process.WaitForExit(TimeoutMs).Should().BeTrue("the tool ends");
        return new(process.ExitCode, output.Result, errors.Result);
    }
}

/// <summary>What one run of the tool gave.</summary>
internal sealed record ToolRun(int ExitCode, string Output, string Errors)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
