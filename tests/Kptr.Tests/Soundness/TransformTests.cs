using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Soundness;

/// <summary>Forms of a program that mean the same get the same verdict.</summary>
public class TransformTests
{
    private const int ProgramsPerSeed = 120;
    private const int InsnsMax = 20_000;
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    [Theory]
    [InlineData(5_000)]
    public void GeneratedPrograms_InOtherForms_KeepTheirVerdict(int seed)
    {
        var changed = 0;
        for (var at = seed; at < seed + ProgramsPerSeed; at++)
        {
            var program = ProgGenerator.Generate(at);
            if (program.TryLink(s_kernel, new DiagSink()) is not { } linked)
            {
                continue;
            }

            var random = new Random(at);
            var plain = Verify(linked);
            foreach (var form in new[] { Transforms.RenameRegs(linked, random), Transforms.InsertNops(
                linked, random, 3) })
            {
                changed += form.Insns == linked.Insns ? 0 : 1;
                var result = Verify(form);
                if (IsFinished(plain) && IsFinished(result))
                {
                    result.Verdict.Should().Be(
                        plain.Verdict, "seed {0}: {1} / {2}\n{3}", at, plain.Message, result.Message, program);
                }
            }

            var unpruned = Verify(linked, pruning: false);
            if (IsFinished(plain) && IsFinished(unpruned))
            {
                unpruned.Verdict.Should().Be(
                    plain.Verdict, "seed {0}, without pruning: {1}\n{2}", at, unpruned.Message, program);
            }
        }

        changed.Should().BeGreaterThan(ProgramsPerSeed, "most programs can be changed");
    }

    [Fact]
    public void InsertNops_BeforeEveryInstruction_KeepsTargetsOfJumpsCallsAndCallbacks()
    {
        const string text = """
            r1 = 3
            r2 = fn_loop0 ll
            r3 = 0
            r4 = 0
            call bpf_loop
            if r0 != 3 goto bad
            r1 = 4
            call fn_sub1
            if r0 == 5 goto good
            bad:
            r0 = 1
            exit
            good:
            r0 = 0
            exit
            fn_loop0:
            r0 = 0
            exit
            fn_sub1:
            r0 = r1
            r0 += 1
            exit
            """;
        var linked = new GeneratedProgram("syscall", [.. text.Split('\n')]).TryLink(s_kernel, new DiagSink())!;
        var changed = Transforms.InsertNops(linked, new Random(1), oneIn: 1);
        changed.Insns.Length.Should().BeGreaterThan(linked.Insns.Length + 15);

        using var kernel = new KernelModel();
        var verified = BpfVerifier.Verify(changed, kernel.Spec).Program!;
        var run = new BpfProgram(kernel, verified, [.. changed.Maps.Select(_ => (Kptr.Maps.BpfMap?)null)]).TestRun();
        run.Should().Be(new ProgramResult(0, null));
    }

    [Fact]
    public void IteratorAtTheTopOfTheFrame_IsTakenForTheSlotBelow_AsInLinux()
    {
        const string text = """
            r1 = r10
            r1 += -8
            r2 = 0
            r3 = 3
            call bpf_iter_num_new
            again:
            r1 = r10
            call bpf_iter_num_next
            if r0 != 0 goto again
            r1 = r10
            call bpf_iter_num_destroy
            r0 = 0
            exit
            """;
        var program = new GeneratedProgram("tc", [.. text.Split('\n')]);

        Verify(program.TryLink(s_kernel, new DiagSink())!).IsAccepted.Should().BeTrue("Linux 6.12 accepts it");
        GeneratedCheck.Check(program, seed: 1).Fault.Should().Contain(nameof(DiagCode.CallBadMemory), "which is wrong");
    }

    private static bool IsFinished(VerifyResult result) =>
        result.IsAccepted || result.Diagnostics[^1].Code is not (DiagCode.ComplexityExceeded or DiagCode.InfiniteLoop);

    private static VerifyResult Verify(ProgSpec prog, bool pruning = true) =>
        BpfVerifier.Verify(prog, s_kernel, new VerifyOptions { Pruning = pruning, InsnsMax = InsnsMax });
}
