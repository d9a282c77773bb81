using Kptr.Execution;
using Kptr.Kfuncs;

namespace Kptr.Soundness;

/// <summary>Whether a program does the same in every engine.</summary>
internal static class EngineCheck
{
    /// <summary>How many runs show what a program does.</summary>
    internal const int Runs = 6;

    /// <summary>What came of one program.</summary>
    /// <param name="Difference">The engine and the first line that is another there; null where all agree.</param>
    /// <param name="IsComparable">Whether two kernels see the same in the interpreter. A program that makes numbers of
    /// addresses does not.</param>
    internal sealed record Result(string? Difference, bool IsComparable);

    /// <summary>Runs it under the same inputs in every engine, each time in a kernel of its own.</summary>
    /// <param name="program">The program.</param>
    /// <param name="seed">Decides its inputs.</param>
    /// <param name="kfuncs">Where kfuncs' bodies are; null for the built-in ones.</param>
    /// <param name="runs">How many runs in each engine.</param>
    internal static Result Compare(AcceptedProgram program, int seed, KfuncRegistry? kfuncs = null, int runs = Runs)
    {
        var expected = Run(ExecEngine.Interpreter);
        if (!Run(ExecEngine.Interpreter).SequenceEqual(expected))
        {
            return new(null, IsComparable: false);
        }

        foreach (var engine in (ExecEngine[])[ExecEngine.Jit, ExecEngine.Trusted])
        {
            var lines = Run(engine);
            var at = lines.Zip(expected).TakeWhile(p => p.First == p.Second).Count();
            if (at < Math.Max(lines.Count, expected.Count))
            {
                var (here, there) = (lines.ElementAtOrDefault(at), expected.ElementAtOrDefault(at));
                return new($"{engine}: \"{here}\" is \"{there}\" in the interpreter", IsComparable: true);
            }
        }

        return new(null, IsComparable: true);

        IReadOnlyList<string> Run(ExecEngine engine) =>
            new ProgRunner(program, seed, ExecOptions.FuelDefault) { Kfuncs = kfuncs ?? KfuncRegistry.Builtin }
                .Transcribe(runs, engine);
    }
}
