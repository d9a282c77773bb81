using System.Diagnostics;
using Kptr.Tests.Shared;

namespace Kptr.Tests.Concurrency;

/// <summary>
/// Every map kind, ledger level and destroy policy with everybody at once, as a process of its own, so that a hang is a
/// failure with all stacks. KPTR_STRESS_SECONDS runs it longer (3600 for a night), KPTR_SEED repeats one.
/// </summary>
public class StressTests
{
    [Fact]
    public async Task Everything_AtOnce_NeitherHangsNorLosesAReference()
    {
        var seconds = Environment.GetEnvironmentVariable("KPTR_STRESS_SECONDS") ?? "3";
        var seed = Environment.GetEnvironmentVariable("KPTR_SEED") ?? "1";
        var build = Path.GetRelativePath(RepoRoot.Path, AppContext.BaseDirectory).Replace(
            "Kptr.Tests", "Kptr.Stress", StringComparison.Ordinal);
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList =
            {
                Path.Combine(RepoRoot.Path, build, "Kptr.Stress.dll"), "--seconds", seconds, "--seed", seed,
            },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        process.ExitCode.Should().Be(0, "{0}{1}", output, await errors);
        output.Should().Contain("no fault");
    }
}
