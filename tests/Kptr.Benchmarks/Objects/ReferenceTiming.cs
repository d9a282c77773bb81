using System.Diagnostics;
using System.Globalization;
using Kptr.Objects;

namespace Kptr.Benchmarks.Objects;

/// <summary>
/// Measures the reference benchmarks in seconds: the fastest of many short, interleaved rounds each, as a ratio.
/// </summary>
/// <remarks>
/// On a shared machine the means that BenchmarkDotNet reports are mostly other people's work; minima are not.
/// </remarks>
internal static class ReferenceTiming
{
    private const int Rounds = 400;
    private const int CallsPerRound = 20;

    /// <summary>
    /// A line for each operation: nanoseconds, what it is held against, the ratio, bytes allocated per operation.
    /// </summary>
    internal static IEnumerable<string> Measure() =>
        new[] { MisuseChecks.None, MisuseChecks.Default, MisuseChecks.Values, MisuseChecks.References }.SelectMany(
            Measure);

    private static IEnumerable<string> Measure(MisuseChecks checks)
    {
        yield return $"misuse checks: {checks}";
        var counts = new AcquireReleaseBenchmarks(checks);
        counts.Setup();
        yield return Compare("acquire + release", counts.IncrementDecrement, counts.AcquireRelease);
        var slots = new ExchangeBenchmarks(checks);
        slots.Setup();
        yield return Compare("kptr exchange", slots.InterlockedExchange, slots.KptrExchange);
        var readers = new RcuBenchmarks(checks);
        readers.Setup();
        yield return Compare("rcu lock + unlock", readers.Increment, readers.ReadLockUnlock);
        yield return Compare("peek in a reader", readers.Increment, readers.Peek);
        yield return Compare("look up, by ref", readers.Increment, readers.Lookup);
    }

    private static string Compare<TBare, TOurs>(string name, Func<TBare> bare, Func<TOurs> ours)
    {
        var (fastestBare, fastestOurs) = (double.MaxValue, double.MaxValue);
        var allocated = 0L;
        for (var i = 0; i < Rounds; i++)
        {
            fastestBare = Math.Min(fastestBare, NsPerOp(bare));
            var before = GC.GetAllocatedBytesForCurrentThread();
            fastestOurs = Math.Min(fastestOurs, NsPerOp(ours));
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-20} {fastestOurs,6:F2} ns  against {fastestBare,6:F2} ns  ratio {fastestOurs / fastestBare:F2}  "
                + $"{allocated} bytes a round");
    }

    private static double NsPerOp<T>(Func<T> run)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < CallsPerRound; i++)
        {
            run();
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / (CallsPerRound * ReferenceBenchmarks.Ops);
    }
}
