using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.KernelSelftests;

/// <summary>
/// Judges every program again in forms that mean the same: with other names for the registers that calls preserve, with
/// jumps to the next instruction put in, and without pruning where that ends within <c>--insns N</c>.
/// </summary>
public static class SameReport
{
    private const int InsnsMax = 50_000;
    private const int NopOneIn = 4;

    public static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        var insnsMax = int.Parse(options["insns"] ?? $"{InsnsMax}", CultureInfo.InvariantCulture);
        var limit = TimeSpan.FromSeconds(int.Parse(options["seconds"] ?? "100000", CultureInfo.InvariantCulture));
        var start = Stopwatch.GetTimestamp();
        var only = options.All("object").ToHashSet();
        var paths = options.Objects().Where(p => only.Count == 0 || only.Contains(Options.NameOf(p))).ToArray();
        new Random(seed).Shuffle(paths);
        var counts = new ConcurrentDictionary<string, (int Same, int Other, int Unfinished)>();
        var jobs = int.Parse(options["jobs"] ?? "1", CultureInfo.InvariantCulture);
        Parallel.ForEach(Partitioner.Create(paths, EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = jobs }, path =>
            {
                if (Stopwatch.GetElapsedTime(start) < limit && ObjectReader.TryRead(path, new DiagSink()) is { } read)
                {
                    var flags = LoadFlagTags.Read(read);
                    foreach (var prog in SelftestObject.Link(path, read, null, kernel).Where(p => p.LinkFault is null))
                    {
                        var (set, clear) = flags.GetValueOrDefault(prog.Name);
                        var ready = prog.WithFlags((JudgeReport.JudgeFlags & ~clear) | set);
                        Compare($"{Options.NameOf(path)}/{prog.Name}", ready, kernel, seed, insnsMax, counts);
                    }
                }
            });
        foreach (var (form, (same, other, unfinished)) in counts.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            Console.WriteLine($"{form}: {same} the same verdict, {other} another, {unfinished} not finished");
        }

        return counts.Values.Any(c => c.Other > 0) ? 1 : 0;
    }

    private static void Compare(
        string name, ProgSpec prog, KernelSpec kernel, int seed, int insnsMax,
        ConcurrentDictionary<string, (int Same, int Other, int Unfinished)> counts)
    {
        var random = new Random(name.Aggregate(seed, (h, c) => unchecked((h * 31) + c)));
        var limits = new VerifyOptions { InsnsMax = insnsMax };
        (string Form, ProgSpec Prog, VerifyOptions Options)[] forms =
        [
            ("renamed registers", Transforms.RenameRegs(prog, random), limits),
            ("inserted jumps", Transforms.InsertNops(prog, random, NopOneIn), limits),
            ("without pruning", prog, limits with { Pruning = false }),
        ];
        var plain = BpfVerifier.Verify(prog, kernel, limits);
        foreach (var (form, changed, how) in forms)
        {
            var result = BpfVerifier.Verify(changed, kernel, how);
            var isFinished = IsFinished(plain) && IsFinished(result);
            var isSame = plain.Verdict == result.Verdict;
            counts.AddOrUpdate(form, _ => Add(default), (_, c) => Add(c));
            if (isFinished && !isSame)
            {
                Console.WriteLine(
                    $"{name} {form}: {plain.Verdict} {plain.Message} <> {result.Verdict} {result.Message}");
            }

            (int Same, int Other, int Unfinished) Add((int Same, int Other, int Unfinished) c) =>
                !isFinished ? c with { Unfinished = c.Unfinished + 1 }
                    : isSame ? c with { Same = c.Same + 1 }
                    : c with { Other = c.Other + 1 };
        }
    }

    private static bool IsFinished(VerifyResult result) =>
        result.IsAccepted || result.Diagnostics[^1].Code is not (DiagCode.ComplexityExceeded or DiagCode.InfiniteLoop);
}
