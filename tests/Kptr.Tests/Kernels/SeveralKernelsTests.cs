using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Kernels;

/// <summary>One object judged for several kernels at once.</summary>
public class SeveralKernelsTests
{
    private static readonly string s_tracker = Path.Combine(
        TestData.Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o");

    [Fact]
    public void Verdicts_AreThoseOfEachKernelAlone()
    {
        KernelSpec[] kernels = [.. KernelProfile.All.Select(BuiltinKernel.Spec)];
        var together = ObjectCheck.Run(s_tracker, kernels).ToList();

        together.Should().HaveCount(4);
        for (var i = 0; i < kernels.Length; i++)
        {
            var alone = ObjectCheck.Run(s_tracker, kernels[i]).Select(v => (v.Prog.Name, v.Verdict, v.Result.Message));
            together.Select(v => (v.Name, v.Kernels[i].Said.Verdict, v.Kernels[i].Said.Result.Message))
                .Should().Equal(alone, kernels[i].Profile.Name);
        }

        together[0].Agree.Should().BeFalse("6.1 has no kfuncs for tasks");
    }

    [Fact]
    public void Kernels_ThatLinkAlike_ShareWhatIsLinked()
    {
        var kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);
        var other = kernel with { CpuIds = 4 };
        var (a, b) = ObjectCheck.Run(s_tracker, [kernel, other, BuiltinKernel.Spec(KernelProfile.Linux7_2)]).First()
            .Kernels is [var first, var second, ..] ? (first, second) : default;

        a.Said.Prog.Should().BeSameAs(b.Said.Prog);
    }

    [Fact]
    public void OnlyTheProgramNamed_IsJudged()
    {
        var only = ObjectCheck.Run(s_tracker, [BuiltinKernel.Spec(KernelProfile.Linux6_12)],
            new() { ProgName = "on_exit" }).Single();

        only.Name.Should().Be("on_exit");
        only.Kernels.Single().Said.Verdict.Should().Be(Verdict.Accept);
    }

    [Fact]
    public void NoKernel_IsRefused() =>
        ((Action)(() => ObjectCheck.Run(s_tracker, []))).Should().Throw<ArgumentException>();
}
