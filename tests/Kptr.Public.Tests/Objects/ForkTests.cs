using Kptr.Objects;

namespace Kptr.Public.Tests.Objects;

/// <summary>Tasks with numbers, processes and starts that a trace says.</summary>
public class ForkTests
{
    [Fact]
    public void Fork_WithAPid_HasItAndLeavesTheNextAsItWas()
    {
        using var kernel = PublicKernel.Boot();
        var before = kernel.Tasks.Fork(kernel.Tasks.Init);

        var chosen = kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { Pid = before.Pid + 2, Comm = "nginx" });
        var (next, past) = (kernel.Tasks.Fork(kernel.Tasks.Init), kernel.Tasks.Fork(kernel.Tasks.Init));

        (chosen.Pid, chosen.Tgid, chosen.Comm).Should().Be((before.Pid + 2, before.Pid + 2, "nginx"));
        (next.Pid, past.Pid).Should().Be((before.Pid + 1, before.Pid + 3));
        kernel.Tasks.Find(chosen.Pid).Should().Be(chosen);
    }

    [Fact]
    public void Fork_WithAPidInUse_IsRefusedUntilItIsReaped()
    {
        using var kernel = PublicKernel.Boot();
        var named = new ForkOptions { Pid = 4000, Comm = "again" };
        var first = kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { Pid = 4000, Comm = "first" });
        kernel.Tasks.Exit(first);

        var again = () => kernel.Tasks.Fork(kernel.Tasks.Init, named);

        again.Should().Throw<InvalidOperationException>().WithMessage("*4000*in use*\"first\"*");
        kernel.Tasks.All.Should().HaveCount(2);
        kernel.Tasks.Reap(first);
        again().Comm.Should().Be("again");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(TaskTable.PidMax)]
    public void Fork_WithAPidOutOfRange_IsRefused(int pid)
    {
        using var kernel = PublicKernel.Boot();

        var fork = () => kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { Pid = pid });

        fork.Should().Throw<ArgumentException>().WithMessage($"*{TaskTable.PidMax - 1}*");
        kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { Pid = TaskTable.PidMax - 1 }).Pid
            .Should().Be(TaskTable.PidMax - 1);
    }

    [Fact]
    public void Fork_BehindTheLastPid_GoesOnAtThreeHundred()
    {
        using var kernel = PublicKernel.Boot();
        kernel.Tasks.SetLastPid(TaskTable.PidMax - 2);

        var pids = Enumerable.Range(0, 3).Select(_ => kernel.Tasks.Fork(kernel.Tasks.Init).Pid);

        pids.Should().Equal(TaskTable.PidMax - 1, 300, 301);
    }

    [Fact]
    public void Fork_WithItsMakersTgid_IsAThread()
    {
        using var kernel = PublicKernel.Boot();
        var leader = kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { Pid = 700, Tgid = 700 });

        var thread = kernel.Tasks.Fork(leader, new ForkOptions { Pid = 650, Tgid = 700 });

        (thread.Pid, thread.Tgid, thread.Leader, thread.Mm).Should().Be((650, 700, leader, leader.Mm));
        kernel.Tasks.ThreadsOf(leader).Should().Equal(leader, thread);
    }

    [Fact]
    public void Fork_WithAnotherTgid_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        var maker = kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { Pid = 700 });
        Action Fork(ForkOptions options) => () => kernel.Tasks.Fork(maker, options);

        Fork(new() { Pid = 701, Tgid = 1 }).Should().Throw<ArgumentException>().WithMessage("*701*process 1*700*");
        Fork(new() { Tgid = 900 }).Should().Throw<ArgumentException>();
        Fork(new() { Pid = 701, Tgid = 701, Flags = CloneFlags.Thread }).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Fork_WithNumbersOfNamespaces_HasThemFromTheFirstDown()
    {
        using var kernel = PublicKernel.Boot();

        var container = kernel.Tasks.Fork(
            kernel.Tasks.Init, new ForkOptions { Pids = [5000, 1], Flags = CloneFlags.NewPid });
        var inside = kernel.Tasks.Fork(container, new ForkOptions { Pids = [6000, 42] });

        (container.Pid, container.PidIn(container.PidNamespace)).Should().Be((5000, 1));
        (inside.Pid, inside.PidIn(container.PidNamespace)).Should().Be((6000, 42));
        kernel.Tasks.Find(42, container.PidNamespace).Should().Be(inside);
        Action Fork(TaskStruct by, ForkOptions options) => () => kernel.Tasks.Fork(by, options);
        Fork(container, new() { Pids = [6001, 42] }).Should().Throw<InvalidOperationException>().WithMessage("*42*");
        Fork(container, new() { Pids = [6001, 43, 1] }).Should().Throw<ArgumentException>();
        Fork(kernel.Tasks.Init, new() { Pids = [6001, 2], Flags = CloneFlags.NewPid })
            .Should().Throw<InvalidOperationException>().WithMessage("*has pid 1*");
    }

    [Fact]
    public void Fork_WithAStart_ShowsItAndRefusesTheFuture()
    {
        var clock = new VirtualClock();
        using var kernel = PublicKernel.Boot(clock: clock);
        clock.Advance(TimeSpan.FromSeconds(10));

        var task = kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { StartTimeNs = 1_234_567_891 });

        task.StartTimeNs.Should().Be(1_234_567_891);
        KernelFields.Read(kernel, task, "start_boottime").Should().Be(1_234_567_891);
        var early = () => kernel.Tasks.Fork(kernel.Tasks.Init, new ForkOptions { StartTimeNs = 10_000_000_001 });
        early.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*later than now*");
    }
}
