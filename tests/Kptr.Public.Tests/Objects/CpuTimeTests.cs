using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Public.Tests.Objects;

/// <summary>CPU time of threads, processes, children and cgroups, as Linux accounts it.</summary>
public class CpuTimeTests
{
    [Fact]
    public void CpuTime_OfATask_IsWhatProgramsRead()
    {
        using var kernel = PublicKernel.Boot();
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);

        task.AddCpuTime(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(2));
        task.AddCpuTime(userNs: 7, systemNs: 1);

        task.CpuTime.Should().Be(new CpuTime(5_000_007, 2_000_001));
        KernelFields.Read(kernel, task, "utime").Should().Be(5_000_007);
        KernelFields.Read(kernel, task, "stime").Should().Be(2_000_001);
        KernelFields.Read(kernel, task, "se.sum_exec_runtime").Should().Be(7_000_008);
    }

    [Fact]
    public void CpuTime_OfAProcess_KeepsThatOfThreadsThatEnded()
    {
        using var kernel = PublicKernel.Boot();
        var leader = kernel.Tasks.Fork(kernel.Tasks.Init);
        var thread = kernel.Tasks.ForkThread(leader);
        leader.AddCpuTime(100, 10);
        thread.AddCpuTime(20, 2);
        leader.ProcessCpuTime.Should().Be(new CpuTime(120, 12));
        KernelFields.Read(kernel, leader, "signal->utime").Should().Be(0);

        kernel.Tasks.Exit(thread);

        leader.ProcessCpuTime.Should().Be(new CpuTime(120, 12));
        KernelFields.Read(kernel, leader, "signal->utime").Should().Be(20);
        KernelFields.Read(kernel, leader, "signal->sum_sched_runtime").Should().Be(22);
        kernel.Tasks.Exit(leader);
        leader.ProcessCpuTime.Should().Be(new CpuTime(120, 12), "a zombie's time is counted once");
    }

    [Fact]
    public void CpuTime_OfAChild_GoesToItsParentWhenItIsReaped()
    {
        using var kernel = PublicKernel.Boot();
        var parent = kernel.Tasks.Fork(kernel.Tasks.Init);
        var child = kernel.Tasks.Fork(parent);
        var grandchild = kernel.Tasks.Fork(child);
        child.AddCpuTime(30, 3);
        grandchild.AddCpuTime(400, 40);

        End(kernel, grandchild);
        child.ChildrenCpuTime.Should().Be(new CpuTime(400, 40));
        kernel.Tasks.Exit(child);
        parent.ChildrenCpuTime.Should().Be(default(CpuTime), "nobody has waited");
        kernel.Tasks.Reap(child);

        parent.ChildrenCpuTime.Should().Be(new CpuTime(430, 43));
        parent.ProcessCpuTime.Should().Be(default(CpuTime));
        KernelFields.Read(kernel, parent, "signal->cutime").Should().Be(430);
        KernelFields.Read(kernel, parent, "signal->cstime").Should().Be(43);
    }

    [Fact]
    public void CpuTime_OfALeaderThatAnotherThreadReplaced_StaysWithTheProcess()
    {
        using var kernel = PublicKernel.Boot();
        var leader = kernel.Tasks.Fork(kernel.Tasks.Init);
        var thread = kernel.Tasks.ForkThread(leader);
        leader.AddCpuTime(5, 0);
        thread.AddCpuTime(0, 6);

        kernel.Tasks.Exec(thread, "new");

        thread.CpuTime.Should().Be(new CpuTime(0, 6));
        thread.ProcessCpuTime.Should().Be(new CpuTime(5, 6));
        kernel.Tasks.Init.ChildrenCpuTime.Should().Be(default(CpuTime), "nobody waited for the old leader");
    }

    [Fact]
    public void CpuTime_OfANamespaceThatEnds_GoesThroughItsReaper()
    {
        using var kernel = PublicKernel.Boot();
        var reaper = kernel.Tasks.Fork(kernel.Tasks.Init, "container", CloneFlags.NewPid);
        var inside = kernel.Tasks.Fork(kernel.Tasks.Fork(reaper));
        inside.AddCpuTime(9, 1);

        End(kernel, reaper);

        kernel.Tasks.Init.ChildrenCpuTime.Should().Be(new CpuTime(9, 1));
    }

    [Fact]
    public void CpuTime_OfACgroup_RollsUpAndStaysWhereItWasUsed()
    {
        using var kernel = PublicKernel.Boot();
        var app = kernel.Cgroups.Create("app");
        var (web, batch) = (kernel.Cgroups.Create(app, "web"), kernel.Cgroups.Create(app, "batch"));
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);

        task.AddCpuTime(1, 0); // in the root
        kernel.Cgroups.Attach(web, task);
        task.AddCpuTime(20, 2);
        kernel.Cgroups.Attach(batch, task);
        task.AddCpuTime(300, 30);
        End(kernel, task);

        (web.CpuTime, batch.CpuTime).Should().Be((new CpuTime(20, 2), new CpuTime(300, 30)));
        app.CpuTime.Should().Be(new CpuTime(320, 32));
        kernel.Cgroups.Root.CpuTime.Should().Be(new CpuTime(321, 32));
        kernel.Quiesce();
        kernel.Cgroups.Remove(batch).Should().Be(Errno.None);
        kernel.Quiesce();
        batch.IsFreed.Should().BeTrue();
        app.CpuTime.TotalNs.Should().Be(352, "a cgroup that is removed leaves what it used");
    }

    [Fact]
    public void CpuTime_OfADeadTask_GoesOnUntilItIsFreed()
    {
        using var kernel = PublicKernel.Boot();
        var web = kernel.Cgroups.Create("web");
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        kernel.Cgroups.Attach(web, task);
        kernel.Tasks.Exit(task, switchOut: false);

        task.AddCpuTime(0, 8); // on its way to the last switch
        kernel.Tasks.SwitchOut(task);
        kernel.Tasks.Reap(task);

        kernel.Tasks.Init.ChildrenCpuTime.Should().Be(new CpuTime(0, 8));
        web.CpuTime.Should().Be(new CpuTime(0, 8));
        kernel.Quiesce();
        task.AddCpuTime(0, 8);
        kernel.TakeFaults().Should().ContainSingle("it is freed");
        web.CpuTime.Should().Be(new CpuTime(0, 8));
    }

    [Fact]
    public async Task CpuTime_FromManyThreads_LosesNothing()
    {
        using var kernel = PublicKernel.Boot();
        var (app, other) = (kernel.Cgroups.Create("app"), kernel.Cgroups.Create("other"));
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);

        var users = Enumerable.Range(0, 4).Select(n => Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                task.AddCpuTime(2, 1);
                kernel.Cgroups.Attach(n % 2 == 0 ? app : other, task).Should().Be(Errno.None);
            }
        }));
        await Task.WhenAll(users);

        task.CpuTime.Should().Be(new CpuTime(4_000, 2_000));
        kernel.Cgroups.Root.CpuTime.Should().Be(task.CpuTime);
        (app.CpuTime + other.CpuTime).TotalNs.Should().BeInRange(5_900, 6_000, "the rest was used in the root");
    }

    [Fact]
    public void AddCpuTime_ThatIsNegativeOrTooLong_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        Action Add(TimeSpan user, TimeSpan system) => () => kernel.Tasks.Init.AddCpuTime(user, system);

        Add(TimeSpan.FromTicks(-1), default).Should().Throw<ArgumentOutOfRangeException>();
        Add(default, TimeSpan.FromTicks(-1)).Should().Throw<ArgumentOutOfRangeException>();
        Add(TimeSpan.MaxValue, default).Should().Throw<ArgumentOutOfRangeException>();
        kernel.Tasks.Init.CpuTime.Should().Be(default(CpuTime));
    }

    private static void End(KernelModel kernel, TaskStruct task)
    {
        kernel.Tasks.Exit(task);
        kernel.Tasks.Reap(task).Should().BeTrue();
    }
}
