using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

public class CgroupTests
{
    [Fact]
    public void Life_CreateRemoveRelease_CountsAreTheKernels()
    {
        using var core = TestKernel.Boot();
        var parent = core.Cgroups.Create("a");
        parent.Count.Value.Should().Be(1);                          // online
        var child = core.Cgroups.Create(parent, "b");
        parent.Count.Value.Should().Be(2);                          // online, child
        var reference = child.TryAcquire()!.Value;
        child.Count.Value.Should().Be(2);                           // online, mine
        core.Cgroups.Remove(parent).Should().Be(Errno.EBUSY);
        core.Cgroups.Remove(child).Should().Be(Errno.None);
        child.Count.Value.Should().Be(1);                           // mine
        core.Cgroups.Find(child.Id).Should().BeNull();
        child.TryAcquire()!.Value.Release();                        // offline, and still acquirable
        core.Cgroups.Remove(parent).Should().Be(Errno.None);
        parent.Count.Value.Should().Be(1);                          // the dying child pins it
        reference.Release();
        child.IsReleased.Should().BeTrue();
        child.TryAcquire().Should().BeNull();
        core.Work.Waiting().Select(w => w.Name).Should().Equal("css_release_work_fn");
        core.Work.Step();
        core.Rcu.Waiting().Select(w => w.Name).Should().Equal("queue_rcu_work");
        core.Rcu.Step();
        core.Work.Waiting().Select(w => w.Name).Should().Equal("css_free_rwork_fn");
        core.Work.Step();
        child.IsFreed.Should().BeTrue();
        parent.IsReleased.Should().BeTrue();
        core.Quiesce();
        parent.IsFreed.Should().BeTrue();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Ancestors_AreFoundByLevel()
    {
        using var core = TestKernel.Boot();
        var a = core.Cgroups.Create("a");
        var b = core.Cgroups.Create(a, "b");
        (b.AncestorAt(0), b.AncestorAt(1), b.AncestorAt(2)).Should().Be((core.Cgroups.Root, a, b));
        b.AncestorAt(3).Should().BeNull();
        b.AncestorAt(-1).Should().BeNull();
        b.IsUnder(a).Should().BeTrue();
        a.IsUnder(b).Should().BeFalse();
        (b.Path, core.Cgroups.Find("/a/b")).Should().Be(("/a/b", b));
        b.Read<ulong>("ancestors[1]").Should().Be(a.Address);
    }

    [Fact]
    public void Remove_WithLiveTasks_IsBusy()
    {
        using var core = TestKernel.Boot();
        var cgroup = core.Cgroups.Create("a");
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Cgroups.Attach(cgroup, task).Should().Be(Errno.None);
        core.Cgroups.Remove(cgroup).Should().Be(Errno.EBUSY);
        core.Tasks.Exit(task);
        core.Cgroups.Remove(cgroup).Should().Be(Errno.None);
        core.Cgroups.Attach(cgroup, core.Tasks.Init).Should().Be(Errno.ENODEV);
    }
}
