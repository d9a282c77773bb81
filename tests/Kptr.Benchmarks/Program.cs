using System.Globalization;
using BenchmarkDotNet.Running;
using Kptr.Benchmarks;
using Kptr.Benchmarks.Maps;
using Kptr.Benchmarks.Objects;
using Kptr.Benchmarks.Tracing;
using Kptr.Execution;
using Kptr.Tracing;

// `time interpreter|jit|trusted PROGRAM ROUNDS...` prints one line of milliseconds each, for comparison with other
// machines (see against-ubpf); objects are verified, flat files of instructions are not;
// `engines` measures what it costs to compile, to enter and to call;
// `events` measures tasks that live and die under task_tracker;
// `references` measures acquire, release, exchange and RCU in seconds;
// `maps ROUNDS ENTRIES THREADS dense|sparse [OPERATION]` measures the maps against ConcurrentDictionary in seconds;
// `tracing EVENTS` replays made traces of every format with task_tracker attached, and checks what came of them;
// `trace FORMAT EVENTS FILE` writes such a trace, for `kptr run` and other tools;
// anything else goes to BenchmarkDotNet.
if (args is ["time", var engine, .. var rest] && rest.Length % 2 == 0)
{
    var options = new ExecOptions { Engine = Enum.Parse<ExecEngine>(engine, ignoreCase: true) };
    for (var i = 0; i < rest.Length; i += 2)
    {
        Console.WriteLine(Timing.Measure(options, rest[i], ulong.Parse(rest[i + 1], CultureInfo.InvariantCulture)));
    }

    return;
}

if (args is ["engines"])
{
    foreach (var line in EngineTiming.Measure())
    {
        Console.WriteLine(line);
    }

    return;
}

if (args is ["events"])
{
    foreach (var line in EventTiming.Measure())
    {
        Console.WriteLine(line);
    }

    return;
}

if (args is ["references"])
{
    foreach (var line in ReferenceTiming.Measure())
    {
        Console.WriteLine(line);
    }

    return;
}

if (args is ["maps", var rounds, var entries, var threads, var keys, .. var only])
{
    MapTiming.Run(
        int.Parse(entries, CultureInfo.InvariantCulture),
        int.Parse(threads, CultureInfo.InvariantCulture),
        int.Parse(rounds, CultureInfo.InvariantCulture),
        keys == "sparse",
        only.FirstOrDefault(""));
    return;
}

if (args is ["trace", var format, var count, var file])
{
    TraceTiming.Write(
        Enum.Parse<TraceFormat>(format, ignoreCase: true), int.Parse(count, CultureInfo.InvariantCulture), file);
    return;
}

if (args is ["tracing", var events])
{
    foreach (var line in TraceTiming.Measure(int.Parse(events, CultureInfo.InvariantCulture)))
    {
        Console.WriteLine(line);
    }

    return;
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
