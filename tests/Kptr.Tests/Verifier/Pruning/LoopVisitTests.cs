using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>What open loops keep of the paths that ended in them.</summary>
public class LoopVisitTests
{
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux7_2);

    /// <summary>In each round a path ends whose history is that of all rounds before it.</summary>
    [Fact]
    public void Rounds_ThatEndAtAnEarlierState_KeepWhatTheirHistoriesDoNotShare()
    {
        Allocated(rounds: 10);

        Allocated(rounds: 2_000).Should().BeLessThan(5 * Allocated(rounds: 500));
    }

    // After any round of the inner loop the outer one may end its round, as it did after the first.
    private static long Allocated(int rounds)
    {
        string[] lines =
        [
            "r1 = 9", "r2 = fn_loop0 ll", "r3 = 0", "r4 = 0", "call bpf_loop", "r0 = 0", "exit",
            "fn_loop0:", "*(u64 *)(r10 - 8) = 0", "r1 = 9999", "r2 = fn_loop1 ll", "r3 = r10", "r3 += -8", "r4 = 0",
            "call bpf_loop", "r0 = 0", "exit",
            "fn_loop1:", "r5 = *(u64 *)(r2 + 0)", $"if r5 > {rounds} goto stop", "r5 += 1", "*(u64 *)(r2 + 0) = r5",
            "r0 = 0", "exit", "stop:", "r0 = 1", "exit",
        ];
        var prog = new GeneratedProgram("socket", [.. lines]).TryLink(s_kernel, new DiagSink())!;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var result = BpfVerifier.Verify(prog, s_kernel);
        result.IsAccepted.Should().BeTrue(result.Message);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
