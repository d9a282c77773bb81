using System.Globalization;
using Kptr.Execution;

namespace Kptr.Benchmarks;

/// <summary>Measures the same way as <c>ubpf-driver.c</c>: processor time of the fastest of nine runs.</summary>
internal static class Timing
{
    private const int Runs = 9;

    /// <summary>One line: file, rounds, result, milliseconds.</summary>
    internal static string Measure(ExecOptions options, string path, ulong rounds)
    {
        using IBenchProgram program = path.EndsWith(".o", StringComparison.Ordinal)
            ? new VerifiedBenchProgram(path) : new BenchProgram(path);
        var best = TimeSpan.MaxValue;
        ulong r0 = 0;
        for (var i = 0; i < Runs; i++)
        {
            var before = Now();
            r0 = program.Run(rounds, options);
            var spent = Now() - before;
            best = spent < best ? spent : best;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{path} {rounds} {r0:x} {best.TotalMilliseconds:F2}");
    }

    private static TimeSpan Now() => Environment.CpuUsage.TotalTime;
}
