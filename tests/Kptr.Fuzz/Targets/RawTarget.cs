using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;

namespace Kptr.Fuzz;

/// <summary>
/// Any instructions in the checked interpreter: a value or a fault, and no byte touched that is not the run's.
/// </summary>
internal static class RawTarget
{
    private const int MemoryBytes = 64;
    private const int GuardBytes = 256;
    private const long Fuel = 20_000;
    private static readonly Dictionary<int, RawHelper> s_helpers = new()
    {
        [1] = static (r1, r2, _, _, _) => r1 + r2,
        [2] = static (_, _, _, _, _) => 0,
    };

    internal static bool Run(byte[] input)
    {
        if (!InsnCodec.TryDecode(input.AsSpan(0, input.Length & ~7), new DiagSink(), out var insns))
        {
            return false;
        }

        Finding.Unless(InsnCodec.Encode(insns.AsSpan()).AsSpan().SequenceEqual(input.AsSpan(0, input.Length & ~7)),
            "decoding loses nothing");
        _ = Disassembler.Lines(insns).Sum(l => l.Text.Length);
        InsnCheck.CheckAll(insns.AsSpan(), new DiagSink());
        using var machine = Interpreter.ForRaw(insns, s_helpers);
        var guarded = new byte[GuardBytes + MemoryBytes + GuardBytes];
        var first = machine.Run(guarded.AsSpan(GuardBytes, MemoryBytes), new ExecOptions { Fuel = Fuel });
        Finding.Unless(IsZero(guarded.AsSpan(0, GuardBytes))
            && IsZero(guarded.AsSpan(GuardBytes + MemoryBytes)), "a write outside");
        return first.Fault is null;
    }

    internal static IEnumerable<byte[]> Seeds() =>
        ProgramTexts().Select(t => TextAssembler.TryAssemble(t, new DiagSink(), out var p)
            ? InsnCodec.Encode(p.Insns.AsSpan())
            : null).OfType<byte[]>();

    private static bool IsZero(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept((byte)0);

    /// <summary>Whole programs with memory, atomics, calls and loops.</summary>
    private static IEnumerable<string> ProgramTexts()
    {
        var text = File.ReadAllText(Path.Combine(Tests.Shared.RepoRoot.Path, "tests", "data", "isa", "programs.txt"));
        foreach (var part in text.Split("\n== ").Skip(1).Where((_, i) => i % 2 == 0))
        {
            yield return string.Join(
                '\n', part.Split('\n').Skip(1).TakeWhile(l => !l.StartsWith("mem ", StringComparison.Ordinal)
                    && !l.StartsWith("r0 0", StringComparison.Ordinal)
                    && !l.StartsWith("fault ", StringComparison.Ordinal)));
        }
    }
}
