using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Kptr.Elf;
using Kptr.Execution;
using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Benchmarks;

/// <summary>What it costs to make native code of a program, to enter it, and to call out of it.</summary>
internal static class EngineTiming
{
    private const int Runs = 1_000_000;
    private static readonly ExecOptions Compiled = new() { Engine = ExecEngine.Jit };
    private static readonly Dictionary<int, RawHelper> Helpers = new() { [1] = Sum };

    /// <summary>Lines of figures, each the fastest of several turns.</summary>
    internal static IEnumerable<string> Measure()
    {
        foreach (var name in BenchProgram.Names)
        {
            var insns = ObjectReader.Read(BenchProgram.PathOf(name)).Progs[0].Insns;
            var spent = Best(() => CompileMicroseconds(insns));
            yield return Line($"compile {name}", spent / insns.Length, "us an instruction");
        }

        RawHelper leaf = Sum;
        yield return Line("delegate call", Best(() => Nanoseconds(() => leaf(1, 2, 3, 4, 5))), "ns");
        ImmutableArray<BpfInsn> nothing = [Mov(R0, 0), Exit()];
        var interpreted = new ExecOptions { Engine = ExecEngine.Interpreter };
        yield return Line("run that does nothing, interpreted", Enter(nothing, interpreted), "ns");
        yield return Line("run that does nothing, compiled", Enter(nothing, Compiled), "ns");
        yield return Line("allocated by it", AllocatedBytes(nothing), "bytes");
        yield return Line("helper call, compiled", PerRound(Call(1)), "ns");
        yield return Line("loop without it", PerRound(Mov(R0, 0)), "ns");
    }

    private static ulong Sum(ulong r1, ulong r2, ulong r3, ulong r4, ulong r5) => r1 + r2;

    private static double CompileMicroseconds(ImmutableArray<BpfInsn> insns)
    {
        using var program = Interpreter.ForRaw(insns);
        var start = Stopwatch.GetTimestamp();
        program.Run(new byte[8192], Compiled);
        var first = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        program.Run(new byte[8192], Compiled);
        return (first - Stopwatch.GetElapsedTime(start)).TotalMicroseconds;
    }

    private static double Enter(ImmutableArray<BpfInsn> insns, ExecOptions options)
    {
        using var program = Interpreter.ForRaw(insns);
        return Best(() => Nanoseconds(() => program.Run([], options).R0));
    }

    private static double AllocatedBytes(ImmutableArray<BpfInsn> insns)
    {
        using var program = Interpreter.ForRaw(insns);
        program.Run([], Compiled);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            program.Run([], Compiled);
        }

        return (GC.GetAllocatedBytesForCurrentThread() - before) / 1000.0;
    }

    /// <summary>One instruction a million times, inside one run.</summary>
    private static double PerRound(BpfInsn insn)
    {
        using var program = Interpreter.ForRaw(
            [Mov(R6, 0), insn, Add(R6, 1), Jlt(R6, Runs, -3), Mov(R0, 0), Exit()], Helpers);
        return Best(() =>
        {
            var start = Stopwatch.GetTimestamp();
            program.Run([], Compiled);
            return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Runs;
        });
    }

    private static double Nanoseconds(Func<ulong> body)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Runs; i++)
        {
            body();
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Runs;
    }

    private static double Best(Func<double> measure) => Enumerable.Range(0, 15).Min(_ => measure());

    private static string Line(string what, double value, string unit) =>
        string.Create(CultureInfo.InvariantCulture, $"{what,-36} {value,9:F2} {unit}");
}
