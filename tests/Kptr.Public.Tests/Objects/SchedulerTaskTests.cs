using Kptr.Objects;

namespace Kptr.Public.Tests.Objects;

/// <summary>Idle tasks, tasks that were there before, and names that change.</summary>
public class SchedulerTaskTests
{
    [Fact]
    public void IdleTask_IsOneACpu_AndNeverEnds()
    {
        using var kernel = PublicKernel.Boot();

        var idle = kernel.Tasks.IdleOf(1);

        kernel.Tasks.IdleOf(1).Should().BeSameAs(idle);
        (idle.Pid, idle.Tgid, idle.Comm, idle.Phase).Should().Be((0, 0, "swapper/1", TaskPhase.Alive));
        kernel.Tasks.All.Should().NotContain(idle);
        kernel.Tasks.Find(0).Should().BeNull();
        FluentActions.Invoking(() => kernel.Tasks.Exit(idle)).Should().Throw<InvalidOperationException>();
        FluentActions.Invoking(() => kernel.Tasks.Exec(idle, "x")).Should().Throw<InvalidOperationException>();
        FluentActions.Invoking(() => kernel.Tasks.Fork(idle)).Should().Throw<InvalidOperationException>();
        FluentActions.Invoking(() => kernel.Tasks.IdleOf(2)).Should().Throw<ArgumentOutOfRangeException>();
        kernel.Faults.Should().BeEmpty();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void AdoptedTask_HasItsNumber_AndLivesAsOthersDo()
    {
        using var kernel = PublicKernel.Boot();

        var leader = kernel.Tasks.Adopt(kernel.Tasks.Init, new() { Pid = 700, Comm = "there before" });
        var thread = kernel.Tasks.Adopt(leader, new() { Pid = 650, Tgid = 700 });

        (leader.Pid, leader.Tgid, thread.Pid, thread.Tgid).Should().Be((700, 700, 650, 700));
        kernel.Tasks.Find(650).Should().BeSameAs(thread);
        FluentActions.Invoking(() => kernel.Tasks.Adopt(leader, new() { Pid = 650 }))
            .Should().Throw<InvalidOperationException>();
        kernel.Tasks.All.Should().HaveCount(3, "what could not be adopted leaves nothing behind");

        kernel.Tasks.Exit(thread);
        kernel.Tasks.Exit(leader);
        kernel.Tasks.Reap(leader).Should().BeTrue();
        kernel.Quiesce();
        (leader.IsFreed, thread.IsFreed).Should().Be((true, true));
        kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Rename_ChangesALiveTask()
    {
        using var kernel = PublicKernel.Boot();
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "one");

        kernel.Tasks.Rename(task, "a name of more than fifteen bytes");

        task.Comm.Should().Be("a name of more ");
        kernel.Tasks.Exit(task);
        FluentActions.Invoking(() => kernel.Tasks.Rename(task, "x")).Should().Throw<InvalidOperationException>();
    }
}
