using System.Diagnostics;
using System.Globalization;
using Kptr.Maps;

namespace Kptr.Benchmarks.Maps;

/// <summary>
/// The quick measurement of the hash maps: rounds of dictionary and map in turn, of each the fastest, as a ratio.
/// </summary>
/// <remarks>
/// Means are noise on a shared machine; the fastest of many short rounds is not. With several threads a round lasts until the
/// slowest thread is done, and each thread has keys of its own order, over the whole range.
/// </remarks>
internal static class MapTiming
{
    private const int OpsPerRound = 20_000;
    private static readonly TimeSpan WarmUpTime = TimeSpan.FromMilliseconds(300);

    /// <summary>Prints the table.</summary>
    /// <param name="entries">Entries in the maps.</param>
    /// <param name="threads">Threads that run the same operation at once.</param>
    /// <param name="rounds">Rounds of each operation.</param>
    /// <param name="isSparse">Keys spread over all integers instead of 0, 1, 2...</param>
    /// <param name="only">How the names of the operations to measure begin.</param>
    internal static void Run(int entries, int threads, int rounds, bool isSparse, string only)
    {
        var subjects = new MapSubjects(entries, isSparse);
        var line = string.Create(CultureInfo.InvariantCulture, $"{entries:N0} entries, {threads} threads{(isSparse ? ", sparse keys" : "")}");
        Console.WriteLine($"{line}: {subjects.BytesPerEntry:F1} bytes an entry");
        var seed = 1;
        foreach (var (name, against, run) in subjects.Operations().Where(o => o.Name.StartsWith(only, StringComparison.Ordinal)))
        {
            // Keys of its own for each operation: what an update leaves side by side in memory must not be looked up in that order.
            var windows = Enumerable.Range(0, threads).Select(_ => subjects.Keys(1 << 20, seed++)).ToArray();
            WarmUp(against, windows[0]);
            WarmUp(run, windows[0]);
            var best = Fastest([against, run], windows, rounds, out var bytes);
            var ratio = best[1] / best[0];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"  {name,-28} {best[0],7:F1} {best[1],7:F1} ns  {ratio:F2}  {bytes,6:F1} bytes/op"));
        }
    }

    // Until the JIT is done with it.
    private static void WarmUp(MapOperation operation, ReadOnlySpan<int> keys)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < WarmUpTime)
        {
            operation(keys[..OpsPerRound]);
        }
    }

    // Nanoseconds an operation and thread; and what the last one allocated.
    private static double[] Fastest(MapOperation[] operations, int[][] windows, int rounds, out double bytesPerOp)
    {
        var best = operations.Select(_ => double.MaxValue).ToArray();
        var allocated = 0L;
        using var barrier = new Barrier(windows.Length);
        var ticks = new long[windows.Length];
        void Loop(int thread)
        {
            var keys = windows[thread];
            for (var i = 0; i < rounds * operations.Length; i++)
            {
                var from = (int)((long)i * OpsPerRound % (keys.Length - OpsPerRound));
                barrier.SignalAndWait();
                var before = thread == 0 ? GC.GetTotalAllocatedBytes() : 0;
                var start = Stopwatch.GetTimestamp();
                operations[i % operations.Length](keys.AsSpan(from, OpsPerRound));
                ticks[thread] = Stopwatch.GetTimestamp() - start;
                barrier.SignalAndWait();
                if (thread == 0)
                {
                    var ns = ticks.Max() * 1e9 / Stopwatch.Frequency / OpsPerRound;
                    best[i % operations.Length] = Math.Min(best[i % operations.Length], ns);
                    allocated = i == (rounds * operations.Length) - 1 ? GC.GetTotalAllocatedBytes() - before : 0;
                }
            }
        }

        var others = Enumerable.Range(1, windows.Length - 1).Select(t => new Thread(() => Loop(t))).ToArray();
        Array.ForEach(others, t => t.Start());
        Loop(0);
        Array.ForEach(others, t => t.Join());
        bytesPerOp = allocated / (double)OpsPerRound;
        return best;
    }
}
