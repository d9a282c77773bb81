using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.KernelSelftests;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Soundness;

/// <summary>The runner takes any program that loads, and one program's exception is that program's.</summary>
public class ProgRunnerTests
{
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    [Theory]
    [InlineData(BpfMapType.HashOfMaps, 1)]
    [InlineData(BpfMapType.HashOfMaps, 4)]
    [InlineData(BpfMapType.HashOfMaps, 8)]
    [InlineData(BpfMapType.HashOfMaps, 33)]
    [InlineData(BpfMapType.ArrayOfMaps, 4)]
    public void MapOfMaps_WithKeysOfAnyLength_IsFilledAndRun(BpfMapType type, int keyBytes)
    {
        var outer = new MapSpec("outer", type)
        {
            KeySize = keyBytes,
            ValueSize = 4,
            MaxEntries = 4,
            InnerMap = new MapSpec(
                "inner", BpfMapType.Array) { KeySize = 4, ValueSize = 8, MaxEntries = 2, Record = BtfRecord.Empty },
            Record = BtfRecord.Empty,
        };

        Run([outer]).Should().BeEquivalentTo(new { Kind = RunKind.Sound, Detail = "", RunCount = 2 });
    }

    [Fact]
    public void Program_ThatMakesTheRunnerThrow_FailsAndSaysWhere()
    {
        var outcome = Run(default);

        outcome.Kind.Should().Be(RunKind.Failed);
        outcome.Detail.Should().Contain(nameof(NullReferenceException)).And.Contain(nameof(ProgRunner));
    }

    [Fact]
    public void Object_ThatThrows_IsReportedAndTheNextOneRuns()
    {
        using var output = new StringWriter();
        var failures = new Failures(output);
        var hasRun = false;

        failures.Guard("first", () => throw new InvalidOperationException("odd"));
        failures.Guard("second", () => hasRun = true);

        hasRun.Should().BeTrue();
        failures.Count.Should().Be(1);
        output.ToString().Should().StartWith("FAILED first: System.InvalidOperationException: odd");
    }

    private static RunOutcome Run(ImmutableArray<MapSpec> maps)
    {
        var prog = new ProgSpec("test", ProgType.SchedCls, [Asm.Mov(Asm.R0, 0), Asm.Exit()]) { Maps = maps };
        return new ProgRunner(new(new VerifiedProgram(prog, s_kernel), null), seed: 1, fuel: 1000).Run(2);
    }
}
