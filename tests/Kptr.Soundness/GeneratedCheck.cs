using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Soundness;

/// <summary>Judges programs of the generator and runs those that are accepted.</summary>
internal static class GeneratedCheck
{
    private const int RunsPerProgram = 8;

    /// <summary>More than any loop of the generator repeats.</summary>
    private const long Fuel = 50_000_000;

    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    /// <summary>What came of one program.</summary>
    /// <param name="Rejected">Why the verifier refuses it; null where it accepts.</param>
    /// <param name="Outcome">How its runs went; null where it was refused.</param>
    internal sealed record Result(Diagnostic? Rejected, RunOutcome? Outcome)
    {
        /// <summary>What is wrong with Kptr, or null.</summary>
        internal string? Fault => Outcome is { Kind: RunKind.Unsound or RunKind.Failed } bad ? bad.Detail
            : Outcome is { Kind: RunKind.LeftOut } left ? $"a generated program cannot be run: {left.Detail}"
            : null;
    }

    /// <summary>Judges and runs a program.</summary>
    /// <param name="program">The program.</param>
    /// <param name="seed">Decides its inputs.</param>
    /// <param name="longFuel">What one with <c>may_goto</c> gets, whose loops need not end.</param>
    internal static Result Check(GeneratedProgram program, int seed, long longFuel = Fuel)
    {
        var sink = new DiagSink();
        if (program.TryLink(s_kernel, sink) is not { } linked)
        {
            return new(sink.All is [var first, ..] ? first : new(DiagCode.AsmSyntax, "unknown kfunc"), null);
        }

        return AcceptedProgram.TryMake(linked, s_kernel) is { } accepted
            ? new(null, Excused(program, Run(accepted)))
            : new(BpfVerifier.Verify(linked, s_kernel).Diagnostics[^1], null);

        RunOutcome Run(AcceptedProgram accepted) => program.IsLong
            ? new ProgRunner(accepted, seed, longFuel).Run(1)
            : new ProgRunner(accepted, seed, Fuel).Run(RunsPerProgram);
    }

    private static RunOutcome Excused(GeneratedProgram program, RunOutcome outcome) =>
        outcome is { Kind: RunKind.LeftOut, Detail: ProgRunner.TooLong }
        && program.IsLong // is no endless loop
            ? outcome with { Kind = RunKind.Sound }
            : outcome;

    /// <summary>A smaller program with the same kind of fault: lines are left out as long as it lasts.</summary>
    internal static GeneratedProgram Shrink(GeneratedProgram program, int seed)
    {
        var kind = Check(program, seed).Outcome?.Kind;
        for (var size = program.Lines.Length / 2; size > 0; size /= 2)
        {
            for (var at = 0; at + size <= program.Lines.Length;)
            {
                var smaller = program with { Lines = program.Lines.RemoveRange(at, size) };
                if (Check(smaller, seed).Outcome?.Kind == kind)
                {
                    program = smaller;
                }
                else
                {
                    at += size;
                }
            }
        }

        return program;
    }
}
