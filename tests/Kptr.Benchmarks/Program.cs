using System.Globalization;
using BenchmarkDotNet.Running;
using Kptr.Benchmarks;

// `time PROGRAM ROUNDS...` prints one line of milliseconds each, for comparison with other machines (see against-ubpf);
// anything else goes to BenchmarkDotNet.
if (args is ["time", .. var rest] && rest.Length % 2 == 0)
{
    for (var i = 0; i < rest.Length; i += 2)
    {
        Console.WriteLine(Timing.Measure(rest[i], ulong.Parse(rest[i + 1], CultureInfo.InvariantCulture)));
    }

    return;
}

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
