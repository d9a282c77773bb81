using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Soundness;

/// <summary>
/// Random programs: what the verifier accepts runs without fault, and its registers are what the verifier believed.
/// </summary>
public class GeneratedProgramTests
{
    private const int ProgramsPerSeed = 24;
    private const long LongFuel = 1_000_000;
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    [Theory]
    [InlineData(1_000)]
    [InlineData(2_000)]
    public void AcceptedPrograms_UnderRandomInputs_RunWithoutFaultAndGiveEverythingBack(int seed)
    {
        int accepted = 0, rejected = 0;
        for (var at = seed; at < seed + ProgramsPerSeed; at++)
        {
            var program = ProgGenerator.Generate(at);
            var result = GeneratedCheck.Check(program, at, LongFuel);
            result.Fault.Should().BeNull(
                "seed {0}\n{1}", at, result.Fault is null ? null : GeneratedCheck.Shrink(program, at));
            _ = result.Outcome is null ? rejected++ : accepted++;
        }

        accepted.Should().BeGreaterThan(ProgramsPerSeed / 5, "a generator whose programs are refused tests nothing");
        rejected.Should().BeGreaterThan(ProgramsPerSeed / 10, "and some are to be refused");
    }

    [Fact]
    public void Belief_ThatDoesNotHold_IsFoundWithItsRegister()
    {
        var believed = Link("r0 = 5\nif r0 > 7 goto out\nr0 += 1\nout:\nr0 = 0\nexit");
        var run = Link("r0 = 9\nif r0 > 7 goto out\nr0 += 1\nout:\nr0 = 0\nexit");
        var beliefs = new RegBeliefs();
        BpfVerifier.Verify(believed, s_kernel, new VerifyOptions { Beliefs = beliefs }).IsAccepted.Should().BeTrue();
        var verified = BpfVerifier.Verify(run, s_kernel).Program!;

        var outcome = new ProgRunner(new(verified, beliefs), seed: 1, fuel: 1000).Run(1);

        outcome.Kind.Should().Be(RunKind.Unsound);
        outcome.Detail.Should().Contain("r0 is 0x9").And.Contain("u64 [0x5, 0x5]");
    }

    [Fact]
    public void Reference_ThatAProgramKeeps_IsFound()
    {
        // The verifier refuses this; run as if it had not, it must show as a leak.
        var leaks = Link("r1 = 1\ncall bpf_task_from_pid\nr0 = 0\nexit");
        BpfVerifier.Verify(leaks, s_kernel).Diagnostics[^1].Code.Should().Be(DiagCode.UnreleasedRef);

        var outcome = new ProgRunner(new(new VerifiedProgram(leaks, s_kernel), null), seed: 3, fuel: 1000).Run(20);

        outcome.Kind.Should().Be(RunKind.Unsound);
        outcome.Detail.Should().Contain("which has ended, since generated insn 1");
    }

    [Fact]
    public void Access_OutsideAMapValue_IsFound()
    {
        var wild = Link("""
            *(u32 *)(r10 - 8) = 0
            r1 = plain_array ll
            r2 = r10
            r2 += -8
            call bpf_map_lookup_elem
            r0 = *(u64 *)(r0 + 4096)
            r0 = 0
            exit
            """);

        new ProgRunner(new(new VerifiedProgram(wild, s_kernel), null), seed: 1, fuel: 1000).Run(1).Kind.Should()
            .Be(RunKind.Unsound);
    }

    [Fact]
    public void Kernel_WithMoreCpusThanProgramsAreVerifiedFor_DoesNotBoot()
    {
        var boot = () => new KernelModel(new() { Kernel = s_kernel with { CpuIds = 2 }, CpuCount = 3 });

        boot.Should().Throw<ArgumentOutOfRangeException>();
    }

    private static ProgSpec Link(string text) =>
        new GeneratedProgram("tc", [.. text.Split('\n')]).TryLink(s_kernel, new DiagSink())!;
}
