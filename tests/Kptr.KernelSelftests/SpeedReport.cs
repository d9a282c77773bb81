using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.KernelSelftests;

/// <summary>
/// Verifies the programs of a table of Linux's own figures and prints both: instructions processed, states, the median
/// processor time of <c>--runs</c> rounds over all programs after three to warm up, and the ratios.
/// </summary>
public static class SpeedReport
{
    private const int WarmUp = 3;

    public static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        var verifyOptions = new VerifyOptions { Time = new ProcessorClock() };
        var runs = int.Parse(options["runs"] ?? "5", CultureInfo.InvariantCulture);
        var programs = ExpectedTable.Read(options["speed"]!).Select(row => (Row: row, Prog: Find(row, options, kernel)))
            .ToList();
        var results = programs.Select(_ => new List<VerifyResult>()).ToList();
        for (var round = 0; round < WarmUp + runs; round++)
        {
            for (var i = 0; i < programs.Count; i++)
            {
                if (programs[i].Prog is { } prog && BpfVerifier.Verify(prog, kernel, verifyOptions) is var result
                    && round >= WarmUp)
                {
                    results[i].Add(result);
                }
            }
        }

        double logs = 0;
        var counted = 0;
        Console.WriteLine("object/program\tprocessed\tlinux\tpeak\tlinux\tus\tlinux\tratio");
        for (var i = 0; i < programs.Count; i++)
        {
            var row = programs[i].Row;
            if (results[i].Count == 0)
            {
                Console.WriteLine($"{row.Object}/{row.Program}: not there");
                continue;
            }

            var median = results[i].OrderBy(r => r.Time).ElementAt(results[i].Count / 2);
            var linux = double.Parse(row["linux_check_us"], CultureInfo.InvariantCulture);
            var ratio = median.Time.TotalMicroseconds / linux;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Object}/{row.Program}\t{median.InsnsProcessed}\t{row["processed"]}\t{median.PeakStates}\t"
                + $"{row["peak_states"]}\t{median.Time.TotalMicroseconds:f0}\t{linux:f0}\t{ratio:f2}"));
            if (row.Object != "loop3")
            {
                logs += Math.Log(ratio);
                counted++;
            }
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"geometric mean of {counted}: {Math.Exp(logs / Math.Max(1, counted)):f2}"));
        return 0;
    }

    private static ProgSpec? Find(ExpectedRow row, Options options, KernelSpec kernel)
    {
        var path = Path.Combine(options["objects"]!, row.Object + ".bpf.o");
        return ObjectReader.TryRead(path, new DiagSink()) is { } read
            ? SelftestObject.Link(path, read, null, kernel).FirstOrDefault(p => p.Name == row.Program)
            : null;
    }
}
