using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Tests.Shared;

namespace Kptr.Tests.Execution;

/// <summary>
/// Fifty thousand programs that mean harm (<c>KPTR_FUZZ_STREAMS</c>: as many), in every engine: each ends with a value
/// or a fault that is documented, the same everywhere, and no byte outside changes.
/// </summary>
public class HostileStreamTests
{
    private const int Batch = 500;
    private const int MemoryBytes = 16;
    private const int GuardBytes = 4096;
    private static readonly ExecOptions s_options = new() { Fuel = 2000 };
    private static readonly ExecEngine[] s_engines = [ExecEngine.Interpreter, ExecEngine.Jit, ExecEngine.Trusted];

    private static readonly DiagCode[] s_documented =
    [
        DiagCode.RunBadAccess, DiagCode.RunBadInsn, DiagCode.RunBadTarget, DiagCode.RunCallFailed,
        DiagCode.RunCallTooDeep, DiagCode.RunNoSuchCall, DiagCode.RunOutOfFuel,
    ];

    private static readonly Dictionary<int, RawHelper> s_helpers = new()
    {
        [1] = static (r1, r2, _, _, _) => r1 + r2,
        [2] = static (_, _, _, _, _) => 0,
        [3] = static (_, _, _, _, r5) => r5 % 3 == 0 ? throw new InvalidOperationException("no") : r5,
    };

    [Fact]
    public void Streams_InEveryEngine_EndWithAValueOrADocumentedFault()
    {
        var first = NightlyOption.Number("KPTR_FUZZ_SEED", 1);
        var ends = new long[s_documented.Length + 1];
        Parallel.For(0, (NightlyOption.Number("KPTR_FUZZ_STREAMS", 50_000) + Batch - 1) / Batch, at =>
        {
            var streams = new HostileStreams(new Random(unchecked((first * 1_000_003) + at)));
            for (var i = 0; i < Batch; i++)
            {
                var insns = streams.Next();
                if (Try(insns, ends) is { } wrong)
                {
                    Assert.Fail($"seed {first}, batch {at}, program {i}: {wrong}\n"
                        + string.Join('\n', Disassembler.Lines([.. insns]).Select(l => l.Text)));
                }
            }
        });

        ends.Should().OnlyContain(n => n > 0, "streams that never end in one of these ways try too little");
    }

    /// <returns>What is wrong, or null.</returns>
    private static string? Try(BpfInsn[] insns, long[] ends)
    {
        using var machine = Interpreter.ForRaw([.. insns], s_helpers);
        var memory = GC.AllocateUninitializedArray<byte>(MemoryBytes + (2 * GuardBytes), pinned: true);
        (ExecResult Result, byte[] Left)? expected = null;
        foreach (var engine in s_engines)
        {
            memory.AsSpan().Fill(0x5a);
            var own = memory.AsSpan(GuardBytes, MemoryBytes);
            var result = machine.Run(own, s_options with { Engine = engine });
            if (memory.AsSpan(0, GuardBytes).ContainsAnyExcept((byte)0x5a)
                || memory.AsSpan(GuardBytes + MemoryBytes).ContainsAnyExcept((byte)0x5a))
            {
                return $"{engine} wrote outside";
            }

            expected ??= (result, own.ToArray());
            if (result != expected.Value.Result || !own.SequenceEqual(expected.Value.Left))
            {
                return $"{engine} ends with {result}, the interpreter with {expected.Value.Result}";
            }
        }

        var code = expected!.Value.Result.Fault?.Code;
        var end = code is null ? 0 : Array.IndexOf(s_documented, code.Value) + 1;
        Interlocked.Increment(ref ends[code is not null && end == 0 ? 0 : end]);
        return code is not null && end == 0 ? $"an end that nobody documented: {expected.Value.Result}" : null;
    }
}
