using Kptr.Elf;
using Kptr.Execution;

namespace Kptr.Benchmarks;

/// <summary>One of the compiled programs, with the memory it works on.</summary>
internal sealed class BenchProgram : IBenchProgram
{
    private readonly Interpreter _interpreter;
    private readonly byte[] _work = IBenchProgram.NewWork();

    /// <summary>Opens a program.</summary>
    /// <param name="path">An object of ours, or a flat file of instructions (<c>.bin</c>).</param>
    public BenchProgram(string path)
    {
        _interpreter = Interpreter.ForRaw(Path.GetExtension(path) == ".bin"
            ? Isa.InsnCodec.Decode(File.ReadAllBytes(path))
            : ObjectReader.Read(path).Progs[0].Insns);
    }

    /// <summary>Names of the programs that come with the project.</summary>
    public static IEnumerable<string> Names { get; } = ["crc16", "djb2", "gcd", "knapsack", "shellsort", "splitmix"];

    /// <summary>Where such a program's object is.</summary>
    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "programs", name + ".bpf.o");

    /// <summary>Runs it once.</summary>
    /// <param name="rounds">How often it does its work.</param>
    /// <param name="options">The engine; null for the defaults.</param>
    /// <returns>What it returned.</returns>
    public ulong Run(ulong rounds, ExecOptions? options = null)
    {
        BitConverter.TryWriteBytes(_work, rounds);
        var result = _interpreter.Run(_work, options);
        return result.IsOk ? result.R0 : throw new InvalidOperationException(result.Fault!.ToString());
    }

    /// <summary>Frees the code.</summary>
    public void Dispose() => _interpreter.Dispose();
}
