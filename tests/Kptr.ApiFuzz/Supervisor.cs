using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Kptr.ApiFuzz;

/// <summary>Runs children one after the other, and notices those that crash or stand still.</summary>
internal sealed class Supervisor(FuzzOptions options)
{
    // A child that computes hangs after so much of a processor, one that waits after so long: on a busy machine a child
    // that is well may get no processor for minutes.
    private static readonly TimeSpan s_hangProcessor = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan s_hang = TimeSpan.FromSeconds(600);
    private readonly SortedDictionary<string, (int Count, string Example)> _faults = new(StringComparer.Ordinal);
    private long _calls;
    private long _refused;
    private int _children;
    private int _exhausted;

    internal int Go()
    {
        var clock = Stopwatch.StartNew();
        var surface = new Surface();
        Console.WriteLine(
            $"{surface.Members.Count} members; seed {options.Seed}, {options.Threads} threads, "
                + $"{options.Calls} calls a thread and child");
        if (options.IsVerbose)
        {
            foreach (var (name, why) in surface.Unreachable)
            {
                Console.WriteLine($"not reached: {name}: {why}");
            }
        }

        for (var seed = options.Seed; clock.Elapsed < options.Time && _children < options.Children; seed++)
        {
            RunChild(seed, options.Time - clock.Elapsed);
        }

        Console.WriteLine(
            $"{_children} children ({_exhausted} ran out of their 2 GiB), {_calls} calls, {_refused} refused as"
            + $" documented, {_faults.Count} kinds of fault, {clock.Elapsed.TotalSeconds:F0} s");
        foreach (var (what, (count, example)) in _faults)
        {
            Console.WriteLine($"{count,5} x {what}\n        {example}");
        }

        return _faults.Count == 0 ? 0 : 1;
    }

    private void RunChild(int seed, TimeSpan left)
    {
        var path = Path.Combine(Path.GetTempPath(), $"kptr-api-fuzz-{Environment.ProcessId}.journal");
        File.Delete(path);
        using var journal = new Journal(path);
        using var child = Start(seed, path);
        var output = new List<string>();
        var errors = new List<string>();
        child.OutputDataReceived += (_, e) => Append(output, e.Data);
        child.ErrorDataReceived += (_, e) => Append(errors, e.Data);
        child.BeginOutputReadLine();
        child.BeginErrorReadLine();
        var isKilled = Watch(child, journal, seed, left);
        child.WaitForExit();
        _children++;
        lock (output)
        {
            output.ForEach(line => Read(line, seed));
        }

        lock (errors)
        {
            if (!isKilled && child.ExitCode != 0
                && errors.Exists(e => e.StartsWith("Out of memory", StringComparison.Ordinal)))
            {
                _exhausted++;
            }
            else if (!isKilled && child.ExitCode != 0)
            {
                AddCrash(child.ExitCode, errors, journal, seed);
            }
        }

        File.Delete(path);
    }

    private Process Start(int seed, string journal)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(Supervisor).Assembly.Location);
        }

        foreach (var arg in (string[])[
            "--child", journal, "--seed", Number(seed), "--threads", Number(options.Threads), "--calls",
            Number(options.Calls),
        ])
        {
            start.ArgumentList.Add(arg);
        }

        if (options.Only is { } only)
        {
            start.ArgumentList.Add("--only");
            start.ArgumentList.Add(only);
        }

        // A map of this size is more memory than there is: the same answers on every machine.
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x80000000";
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        return Process.Start(start)!;
    }

    // Of a child that has just ended, none: the next look finds it gone.
    private static TimeSpan ProcessorTimeOf(Process child)
    {
        try
        {
            return child.TotalProcessorTime;
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            return TimeSpan.Zero;
        }
    }

    // True when the child was killed: it stood still, or the time is over.
    private bool Watch(Process child, Journal journal, int seed, TimeSpan left)
    {
        var total = Stopwatch.StartNew();
        var still = Stopwatch.StartNew();
        var last = journal.Progress;
        var used = ProcessorTimeOf(child);
        while (!child.WaitForExit(100))
        {
            var now = journal.Progress;
            if (!now.SequenceEqual(last))
            {
                last = now;
                still.Restart();
                used = ProcessorTimeOf(child);
            }

            if (still.Elapsed > s_hang || ProcessorTimeOf(child) - used > s_hangProcessor)
            {
                child.Kill();
                var calls = Calls(journal);
                AddFault("hang: " + string.Join(" | ", calls.Select(c => c.Split(" on ")[0])), seed,
                    string.Join(" | ", calls));
                return true;
            }

            if (total.Elapsed > left)
            {
                child.Kill();
                _calls += now.Sum() / 2;
                return true;
            }
        }

        return false;
    }

    private void Read(string line, int seed)
    {
        var parts = line.Split('\t');
        if (parts is ["DONE", var calls, var refused])
        {
            _calls += long.Parse(calls, CultureInfo.InvariantCulture);
            _refused += long.Parse(refused, CultureInfo.InvariantCulture);
        }
        else if (parts is ["FAULT", var member, var what, var call])
        {
            AddFault($"{what} [{member.Split('(')[0]}]", seed, call);
        }
    }

    private void AddCrash(int exitCode, List<string> errors, Journal journal, int seed)
    {
        var reason = errors.FirstOrDefault(e => e.Length > 0 && !e.StartsWith("   at", StringComparison.Ordinal))
            ?? "no message";
        var stack = errors.Where(e => e
            .TrimStart()
            .StartsWith("at Kptr", StringComparison.Ordinal)).Select(e => e.Trim()).Take(8);
        AddFault($"crash {exitCode}: {reason} {string.Join(" < ", stack)}", seed, string.Join(" | ", Calls(journal)));
    }

    private static string[] Calls(Journal journal) =>
        [.. Enumerable.Range(0, Journal.ThreadsMax).Select(journal.CallOf).Where(c => c.Length > 0)];

    private void AddFault(string what, int seed, string example)
    {
        var (count, first) = _faults.GetValueOrDefault(what);
        _faults[what] = (count + 1, first ?? $"seed {seed}: {example}");
        if (count == 0)
        {
            Console.WriteLine($"fault: {what}\n       seed {seed}: {example}");
        }
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static void Append(List<string> lines, string? line)
    {
        lock (lines)
        {
            if (line is not null && lines.Count < 10_000)
            {
                lines.Add(line);
            }
        }
    }
}
