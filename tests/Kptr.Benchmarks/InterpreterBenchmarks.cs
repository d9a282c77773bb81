using BenchmarkDotNet.Attributes;

namespace Kptr.Benchmarks;

/// <summary>The checked interpreter on six programs.</summary>
public sealed class InterpreterBenchmarks : IDisposable
{
    private BenchProgram? _program;

    /// <summary>The programs.</summary>
    public static IEnumerable<string> Programs => BenchProgram.Names;

    /// <summary>Which program.</summary>
    [ParamsSource(nameof(Programs))]
    public string Name { get; set; } = "";

    /// <summary>Opens the program.</summary>
    [GlobalSetup]
    public void Open() => _program = new BenchProgram(BenchProgram.PathOf(Name));

    /// <summary>Frees it.</summary>
    [GlobalCleanup]
    public void Dispose() => _program?.Dispose();

    /// <summary>Some rounds of it.</summary>
    [Benchmark]
    public ulong Run() => _program!.Run(Name is "gcd" or "splitmix" ? 10_000UL : 10UL);
}
