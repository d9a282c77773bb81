using System.Diagnostics;
using Kptr.Tests.Shared;

namespace Kptr.Page.Tests;

/// <summary>Pages as the tool writes them.</summary>
internal static class Tool
{
    public static string Run(params string[] args)
    {
        var start = new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "Kptr.Cli.dll"), .. args, "--format", "html"])
        {
            WorkingDirectory = RepoRoot.Path, RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var page = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return page;
    }
}
