using System.Globalization;
using BenchmarkDotNet.Running;
using Kptr.Benchmarks;
using Kptr.Benchmarks.Objects;

// `time PROGRAM ROUNDS...` prints one line of milliseconds each, for comparison with other machines (see against-ubpf);
// `references` measures acquire, release, exchange and RCU in seconds; anything else goes to BenchmarkDotNet.
if (args is ["time", .. var rest] && rest.Length % 2 == 0)
{
    for (var i = 0; i < rest.Length; i += 2)
    {
        Console.WriteLine(Timing.Measure(rest[i], ulong.Parse(rest[i + 1], CultureInfo.InvariantCulture)));
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

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
