using Kptr.Fuzz;
using Kptr.Objects;
using Kptr.Tests.Shared;
using Kptr.Tracing.Tests.Making;

namespace Kptr.Tracing.Tests;

/// <summary>
/// Mutations of a trace in every format: events or a documented error. <c>KPTR_FUZZ_TRACES</c> says how many in all,
/// 1,000,000 for a night; <c>KPTR_FUZZ_SEED</c> where to start.
/// </summary>
public class FuzzTests
{
    private const int InputsDefault = 20_000;
    private const int ReplayedShare = 40;

    private static readonly string[] Names = ["perf", "ftrace", "chrome", "bpftrace", "dat6", "dat7"];

    public static TheoryData<string> Seeds => [.. Names];

    [Theory, MemberData(nameof(Seeds))]
    public void MutatedTrace_IsReadOrRefused(string name)
    {
        var original = SeedOf(name);
        var inputs = NightlyOption.Number("KPTR_FUZZ_TRACES", InputsDefault) / Names.Length;
        var seed = NightlyOption.Number("KPTR_FUZZ_SEED", 1);
        var (whole, refused) = (0, 0);
        for (var last = seed + inputs; seed < last; seed++)
        {
            var input = Mutator.Mutate(original, seed);
            try
            {
                _ = IsWhole(input, isReplayed: seed % ReplayedShare == 0) ? whole++ : refused++;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{name}, seed {seed}", e);
            }
        }

        whole.Should().BePositive();
        refused.Should().BePositive();
    }

    private static bool IsWhole(byte[] input, bool isReplayed)
    {
        try
        {
            using var reader = TraceReader.Open(new MemoryStream(input), "mutated", new() { SkipsBadLines = true });
            if (isReplayed)
            {
                using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
                new TraceReplay(kernel, new() { ReorderWindow = 8 }).Run(reader);
                kernel.Faults.Should().BeEmpty();
            }

            _ = reader.Count();
            return reader.BadLines == 0;
        }
        catch (TraceFormatException error)
        {
            error.Offset.Should().BeInRange(0, input.Length);
            return false;
        }
    }

    private static byte[] SeedOf(string name)
    {
        var bytes = new MemoryStream();
        var made = Made.Events(new() { Events = 60, Cpus = 2, LostWakeups = 50 });
        switch (name)
        {
            case "dat6" or "dat7":
                DatWriter.Write(name[^1] - '0', made, 2, bytes);
                break;
            default:
                TextWriters.Write(name switch
                {
                    "perf" => TraceFormat.PerfScript,
                    "ftrace" => TraceFormat.Ftrace,
                    "chrome" => TraceFormat.Chrome,
                    _ => TraceFormat.Bpftrace,
                }, made, bytes);
                break;
        }

        return bytes.ToArray();
    }
}
