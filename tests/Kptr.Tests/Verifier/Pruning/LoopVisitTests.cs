using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Tests.Verifier.Cfg;
using Kptr.Verifier;
using Kptr.Verifier.Cfg;
using Kptr.Verifier.Pruning;
using Kptr.Verifier.State;
using static Kptr.Isa.Asm;

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

    [Fact]
    public void Visit_IsOfOneLoopAlongOneChainOfCalls()
    {
        var visits = Visits();
        visits.Find(At(1)).Should().BeNull("nobody entered it");
        visits.WayToMissedLoop(At(2)).Should().Be("1");
        visits.WayToMissedLoop(At(6, 3)).Should().Be("3,2");
        visits.WayToMissedLoop(At(8, 3)).Should().BeNull("there is no loop");
        visits.Find(At(6, 3)).Should().BeNull("to ask is not to enter");

        VerifierState first = At(1), inner = At(6, 3);
        visits.Enter(At(0));
        visits.Enter(first);
        visits.Enter(At(2));
        visits.Enter(inner);
        visits.Enter(At(7, 4));

        visits.Find(At(0)).Should().BeNull();
        visits.Find(At(2))!.Entry.Should().BeSameAs(first);
        visits.Find(At(6, 2)).Should().BeSameAs(visits.Find(first), "what a loop calls is in that loop");
        visits.Find(At(7, 3))!.Entry.Should().BeSameAs(inner);
        visits.Find(At(7, 3))!.Callsites.Should().Equal(3);
        visits.Find(At(6, 4))!.Callsites.Should().Equal(4);
        visits.WayToMissedLoop(At(7, 4)).Should().BeNull("it was entered");
        visits.WayToMissedLoop(At(7)).Should().Be("2");
    }

    [Fact]
    public void Visit_IsOpenWhileRoundsWait_AndIsEnteredAnewOnceClosed()
    {
        var visits = Visits();
        VerifierState first = At(1), second = At(2);
        visits.Enter(first);
        var visit = visits.Find(first)!;
        visits.IsOpen(second).Should().BeFalse("no round ended in it");
        visit.BackEdges.Add(new(second, first, [], 0));
        visits.IsOpen(second).Should().BeTrue();
        visits.IsOpen(At(0)).Should().BeFalse();

        visit.HistoryKept = 5;
        visits.RollBack(7);
        visit.HistoryKept.Should().Be(5);
        visits.RollBack(3);
        visit.HistoryKept.Should().Be(3);
        visits.Close(visit);
        visits.RollBack(1);
        (visit.HistoryKept, visit.Entry).Should().Be((3, null));
        visits.Enter(second);
        visits.Find(first).Should().BeSameAs(visit);
        visit.Entry.Should().BeSameAs(second);
        visits.RollBack(1);
        visit.HistoryKept.Should().Be(1);

        visits.Forget();
        visits.RollBack(0);
        visit.HistoryKept.Should().Be(1);
        visits.Find(first).Should().BeNull();
    }

    // Instructions 1 and 2 are loop 1; 3 and 4 call what begins with loop 2, instructions 6 and 7.
    private static LoopVisits Visits()
    {
        var code = new CfgCode(
            Mov(BpfReg.R1, 3), Add(BpfReg.R1, -1), Jne(BpfReg.R1, 0, -2), CallRel(2), CallRel(1), Exit(),
            Add(BpfReg.R2, -1), Jne(BpfReg.R2, 0, -2), Exit());
        var visits = new LoopVisits(new LoopComponents(code.Insns, code.Marks()));
        visits.Forget();
        return visits;
    }

    private static VerifierState At(int insnIdx, params int[] callsites)
    {
        var state = new VerifierState { InsnIdx = insnIdx, CurFrame = callsites.Length };
        for (var i = 0; i <= callsites.Length; i++)
        {
            state.Frames[i] = new();
            state.Frames[i]!.Callsite = i == 0 ? -1 : callsites[i - 1];
        }

        return state;
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
