using System.Collections.Concurrent;
using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.KernelSelftests;

/// <summary>What Kptr said of one program.</summary>
/// <param name="Object">The object.</param>
/// <param name="Program">The program.</param>
/// <param name="Verdict"><c>ok</c>, <c>reject</c>, <c>unsupported</c>, <c>noload</c> (it cannot be
/// linked) or <c>crash</c>.</param>
/// <param name="Code">The diagnostic's code.</param>
/// <param name="Message">The kernel's line.</param>
/// <param name="Log">Everything printed.</param>
/// <param name="Processed">Instructions processed.</param>
/// <param name="States">States remembered at most.</param>
/// <param name="TimeUs">Time in microseconds.</param>
public sealed record Judgement(
    string Object, string Program, string Verdict, string Code, string Message, string Log, int Processed,
    int States, long TimeUs);

/// <summary>Judges every program of every object, and holds the verdicts against a real kernel's.</summary>
public static class JudgeReport
{
    internal const uint JudgeFlags = 132;

    public static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        var expected = options["expected"] is { } table
            ? ExpectedTable.Read(table).ToLookup(r => r.Object) : null;
        var only = options.All("object").ToHashSet();
        var judged = new ConcurrentBag<Judgement>();
        var paths = options.Objects().Where(p => only.Count == 0 || only.Contains(Options.NameOf(p)));
        var jobs = int.Parse(options["jobs"] ?? "1", CultureInfo.InvariantCulture);
        Parallel.ForEach(Partitioner.Create(paths, EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = jobs },
            path => JudgeObject(path, kernel, expected, options, judged));
        Judgement[] rows = [
            .. judged.OrderBy(j => j.Object, StringComparer.Ordinal).ThenBy(j => j.Program, StringComparer.Ordinal),
        ];
        if (options["out"] is { } file)
        {
            Write(file, rows);
        }

        return expected is null ? 0 : Comparison.Print(rows, expected, options);
    }

    private static void JudgeObject(
        string path, KernelSpec kernel, ILookup<string, ExpectedRow>? expected, Options options,
        ConcurrentBag<Judgement> judged)
    {
        var name = Options.NameOf(path);
        var rows = expected?[name].ToDictionary(r => r.Program);
        if ((expected is not null && rows!.Count == 0) || ObjectReader.TryRead(path, new DiagSink()) is not { } read)
        {
            return;
        }

        var flags = LoadFlagTags.Read(read);
        var levels = LoadFlagTags.ReadLogLevels(read);
        var shown = int.Parse(options["log-level"] ?? "0", CultureInfo.InvariantCulture);
        foreach (var prog in SelftestObject.Link(path, read, rows, kernel))
        {
            var (set, clear) = flags.GetValueOrDefault(prog.Name);
            if (options["program"] is null || options["program"] == prog.Name)
            {
                var annotated = rows?.GetValueOrDefault(prog.Name) is { } row && AnnotatedMessages.Of(row).Length > 0;
                var level = shown | (annotated ? Math.Max(1, levels.GetValueOrDefault(prog.Name)) : 0);
                var judgement = Judge(name, prog.WithFlags((JudgeFlags & ~clear) | set),
                    kernel, options, level);
                judged.Add(judgement);
                if (shown > 0)
                {
                    Console.WriteLine(judgement.Log);
                }
            }
        }
    }

    private static Judgement Judge(string name, ProgSpec prog, KernelSpec kernel, Options options, int level)
    {
        if (prog.LinkFault is { } fault)
        {
            return new(name, prog.Name, "noload", fault.Code.ToString(), fault.Message, "", 0, 0, 0);
        }

        var limit = TimeSpan.FromSeconds(int.Parse(options["seconds"] ?? "30", CultureInfo.InvariantCulture));
        using var time = new CancellationTokenSource(limit);
        try
        {
            var result = BpfVerifier.Verify(prog, kernel, new VerifyOptions
            {
                Cancellation = time.Token, LogLevel = level, Pruning = options["pruning"] != "off",
                Strict = options["strict"] == "on",
            });
            var verdict = result.Verdict switch { Verdict.Accept => "ok", Verdict.Reject =>
                "reject", _ => "unsupported" };
            var code = result.Diagnostics.IsDefaultOrEmpty ? "-" : result.Diagnostics[^1].Code.ToString();
            return new(name, prog.Name, verdict, code, result.Message, result.Log,
                result.InsnsProcessed, result.PeakStates,
                (long)result.Time.TotalMicroseconds);
        }
        catch (OperationCanceledException)
        {
            return new(name, prog.Name, "unsupported", "Timeout", "out of time", "", 0,
                0, (long)limit.TotalMicroseconds);
        }
        catch (Exception bug) when (options["stop"] is null)
        {
            var place = bug.StackTrace?.Split('\n').FirstOrDefault(l =>
                l.Contains("Kptr.", StringComparison.Ordinal))?.Trim();
            return new(name, prog.Name, "crash", bug.GetType().Name,
                $"{bug.Message} {place}".ReplaceLineEndings(" "), "", 0, 0, 0);
        }
    }

    private static void Write(string file, Judgement[] rows)
    {
        using var writer = new StreamWriter(file);
        writer.WriteLine("object\tprogram\tverdict\tcode\tmessage\tprocessed\tstates\ttime_us");
        foreach (var row in rows)
        {
            writer.WriteLine(string.Join('\t', row.Object, row.Program, row.Verdict, row.Code,
                row.Message.Length == 0 ? "-" : row.Message.ReplaceLineEndings("\\n"), row.Processed,
                row.States, row.TimeUs));
        }
    }
}
