using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Verifier;

namespace Kptr.KernelSelftests;

/// <summary>
/// Verifies the programs of a table of Linux's own figures and prints both: instructions processed, states, the median
/// time of <c>--runs</c> runs after one to warm up, and the ratios.
/// </summary>
public static class SpeedReport
{
    public static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        var rows = ExpectedTable.Read(options["speed"]!);
        var runs = int.Parse(options["runs"] ?? "5", CultureInfo.InvariantCulture);
        double logs = 0;
        var counted = 0;
        Console.WriteLine("object/program\tprocessed\tlinux\tpeak\tlinux\tus\tlinux\tratio");
        foreach (var row in rows)
        {
            var path = Path.Combine(options["objects"]!, row.Object + ".bpf.o");
            var read = ObjectReader.TryRead(path, new DiagSink());
            var prog = read is null
                ? null
                : SelftestObject.Link(path, read, null, kernel).FirstOrDefault(p => p.Name == row.Program);
            if (prog is null)
            {
                Console.WriteLine($"{row.Object}/{row.Program}: not there");
                continue;
            }

            var results = Enumerable.Range(0, runs + 1).Select(_ => BpfVerifier.Verify(prog, kernel)).Skip(1)
                .OrderBy(r => r.Time).ToList();
            var median = results[results.Count / 2];
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
}
