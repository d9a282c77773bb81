using System.Diagnostics;
using Kptr.Tests.Shared;

namespace Kptr.Cli.Tests;

/// <summary>The tool, run as a process, as a user runs it.</summary>
internal static class KptrTool
{
    private const int TimeoutMs = 120_000;

    public static string Root { get; } = RepoRoot.Path;

    public static string TrackerObject => Path.Combine(Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o");

    public static string LeakObject => Path.Combine(Root, "samples", "TaskTracker", "bpf", "task_leak.bpf.o");

    public static string DoubtfulObject => Path.Combine(Root, "tests", "data", "run", "doubtful.bpf.o");

    public static ToolRun Run(params string[] args) => RunWith("", args);

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
