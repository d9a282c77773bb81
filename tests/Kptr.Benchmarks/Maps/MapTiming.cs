using System.Diagnostics;
using System.Globalization;

namespace Kptr.Benchmarks.Maps;

/// <summary>
/// The quick measurement of the hash maps: rounds of dictionary and map in turn, of each the
/// fastest and the mean, as ratios.
/// </summary>
/// <remarks>
/// The fastest round is the steadiest figure on a shared machine; the mean shows what it leaves out. With
/// several threads a round lasts until the slowest thread is done, and each thread has keys of its own
/// order, over the whole range.
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
        using var subjects = new MapSubjects(entries, isSparse);
        var line = string.Create(CultureInfo.InvariantCulture,
            $"{entries:N0} entries, {threads} threads{(isSparse ? ", sparse keys" : "")}");
        Console.WriteLine($"{line}: {subjects.BytesPerEntry:F1} bytes an entry");
        var seed = 1;
        foreach (var (name, against, run) in subjects.Operations().Where(
            o => o.Name.StartsWith(only, StringComparison.Ordinal)))
        {
            // Keys of its own for each operation: what an update leaves side by side in memory must not
            // be looked up in that order.
            var windows = Enumerable.Range(0, threads).Select(_ => subjects.Keys(1 << 20, seed++)).ToArray();
            WarmUp(against, windows[0]);
            WarmUp(run, windows[0]);
            var times = Measure(subjects, [against, run], windows, rounds, out var bytes);
            var (best, mean) = (times.Select(t => t.Min()).ToArray(), times.Select(MiddleMean).ToArray());
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {name,-28} {best[0],7:F1} {best[1],7:F1} ns {best[1] / best[0],6:F2}   mean {mean[0],7:F1} "
                    + $"{mean[1],7:F1} ns {mean[1] / mean[0],6:F2} {bytes,6:F1} bytes/op"));
        }
    }

    // Without the slowest and fastest tenth. Most garbage collections of the dictionary's
    // updates are among the slowest.
    private static double MiddleMean(List<double> times) =>
        times.Order().Skip(times.Count / 10).Take(times.Count - (times.Count / 10 * 2)).Average();

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
    private static List<double>[] Measure(
        MapSubjects subjects, MapOperation[] operations, int[][] windows, int rounds, out double bytesPerOp)
    {
        var times = operations.Select(_ => new List<double>(rounds)).ToArray();
        var allocated = 0L;
        using var barrier = new Barrier(windows.Length);
        var ticks = new long[windows.Length];
        void Loop(int thread)
        {
            var keys = windows[thread];
            subjects.PlayCpu(thread);
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
                    times[i % operations.Length].Add(ticks.Max() * 1e9 / Stopwatch.Frequency / OpsPerRound);
                    allocated = i == (rounds * operations.Length) - 1 ? GC.GetTotalAllocatedBytes() - before : 0;
                }
            }
        }

        var others = Enumerable.Range(1, windows.Length - 1).Select(t => new Thread(() => Loop(t))).ToArray();
        Array.ForEach(others, t => t.Start());
        Loop(0);
        Array.ForEach(others, t => t.Join());
        bytesPerOp = allocated / (double)OpsPerRound;
        return times;
    }
}
