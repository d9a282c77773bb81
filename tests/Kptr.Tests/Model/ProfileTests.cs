using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Model;

/// <summary>The same object under kernels that destroy values at different times.</summary>
public class ProfileTests
{
    private static readonly string Tracker = Path.Combine(
        TestData.Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o");

    [Theory]
    [InlineData("linux-6.12", true)]
    [InlineData("linux-7.2", false)]
    public void UserSpaceDelete_ReleasesTheTask_OnlyWhereDeleteDestroys(string profile, bool isReleased)
    {
        using var kernel = new KernelModel(
            new KernelModelOptions { Profile = KernelProfile.Find(profile)!, Driver = DeferredDriver.Manual });
        var obj = BpfObject.Open(Tracker).Load(kernel);
        var link = obj.Programs["on_newtask"].Attach();
        var child = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
        kernel.Tasks.Exit(child);
        kernel.Tasks.Reap(child);

        obj.Maps["tasks"].DeleteElem(BitConverter.GetBytes(child.Pid)).Should().Be(Errno.None);
        kernel.Quiesce();
        child.IsFreed.Should().Be(isReleased);

        link.Dispose();
        obj.Dispose();
        kernel.Quiesce();
        child.IsFreed.Should().BeTrue("map free releases it at the latest");
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Linux6_2_HasKptrGet_AndLater_DoNot()
    {
        Kptr.Kfuncs.BuiltinKernel.Spec(KernelProfile.Linux6_2).Kfuncs.Should().ContainKey("bpf_task_kptr_get");
        Kptr.Kfuncs.BuiltinKernel.Spec(KernelProfile.Linux6_12).Kfuncs.Should().NotContainKey("bpf_task_kptr_get");
        Kptr.Kfuncs.BuiltinKernel.Spec(KernelProfile.Linux7_2).Kfuncs.Should().ContainKey("bpf_task_from_vpid");
    }

    [Theory]
    [InlineData("cgroup_rstat_updated", true)]
    [InlineData("bpf_cpumask_acquire", true)]
    [InlineData("bpf_task_acquire", false)]
    [InlineData("bpf_dynptr_slice", false)]
    public void Linux7_2_WantsTrustedArguments_WhereItDoesNotSayOtherwise(string kfunc, bool isTrusting)
    {
        var spec = Kptr.Kfuncs.BuiltinKernel.Spec(KernelProfile.Linux7_2).Kfuncs[kfunc];

        spec.Flags.HasFlag(KfuncFlags.TrustedArgs).Should().Be(isTrusting);
    }

    [Fact]
    public void Linux7_2_LetsMoreProgramsHoldKeys()
    {
        Kptr.Kfuncs.BuiltinKernel.Spec(KernelProfile.Linux6_12).Kfuncs["bpf_key_put"].ProgTypes.Should()
            .NotContain(ProgType.SchedCls);
        Kptr.Kfuncs.BuiltinKernel.Spec(KernelProfile.Linux7_2).Kfuncs["bpf_key_put"].ProgTypes.Should()
            .Contain(ProgType.SchedCls);
    }

    [Fact]
    public void TwoThreads_ForkAndExitUnderTheTracker_LoseAndDoubleNothing()
    {
        using var kernel = new KernelModel();
        using (var obj = BpfObject.Open(Tracker).Load(kernel))
        {
            using var link = obj.Programs["on_newtask"].Attach();
            Parallel.For(0, 2, cpu =>
            {
                kernel.CurrentCpu = cpu;
                for (var i = 0; i < 2000; i++)
                {
                    var child = kernel.Tasks.Fork(kernel.Tasks.Init, "worker");
                    kernel.Tasks.Exit(child);
                    kernel.Tasks.Reap(child);
                    if (i % 3 != 0)
                    {
                        obj.Maps["tasks"].DeleteElem(BitConverter.GetBytes(child.Pid));
                    }
                }
            });
            obj.Programs["on_newtask"].RunCount.Should().Be(4000);
        }

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
        kernel.Tasks.All.Should().ContainSingle();
    }
}
