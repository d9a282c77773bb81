using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Kfuncs;

/// <summary>
/// Programs that walk the kernel's linked lists meet what the model's own collections hold, in the same order.
/// </summary>
public class ListWalkTests : RunTestBase
{
    [Fact]
    public void Children_AreThoseThatAreNotReaped_AndOrphansGoToTheReaper()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "lists");
        var parent = kernel.Tasks.Fork(kernel.Tasks.Init, "parent");
        var a = kernel.Tasks.Fork(parent, "a");
        var b = kernel.Tasks.Fork(parent, "b");
        kernel.Tasks.ForkThread(a, "a2");

        Walk(kernel, obj, "children", parent).Should().Be(Pids(a, b));
        kernel.Tasks.ExitProcess(a);
        Walk(kernel, obj, "children", parent).Should().Be(Pids(a, b), "a zombie is still there");
        kernel.Tasks.Reap(a).Should().BeTrue();
        Walk(kernel, obj, "children", parent).Should().Be(Pids(b));
        End(kernel, parent);
        Walk(kernel, obj, "children", kernel.Tasks.Init).Should().Be(Pids(b));
    }

    [Fact]
    public void Threads_AndProcesses_AreListedInTheOrderOfTheirBirth()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "lists");
        var a = kernel.Tasks.Fork(kernel.Tasks.Init, "a");
        var a2 = kernel.Tasks.ForkThread(a, "a2");
        var a3 = kernel.Tasks.ForkThread(a, "a3");
        var b = kernel.Tasks.Fork(a, "b");

        Walk(kernel, obj, "threads", a).Should().Be(Pids(a, a2, a3));
        Walk(kernel, obj, "processes", kernel.Tasks.Init).Should().Be(Pids(a, b));
        kernel.Tasks.Exit(a2);
        Walk(kernel, obj, "threads", a).Should().Be(Pids(a, a3), "a thread is reaped by itself");
    }

    [Fact]
    public void Exec_OfAThread_PutsItIntoTheLeadersPlace()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "lists");
        var a = kernel.Tasks.Fork(kernel.Tasks.Init, "a");
        var child = kernel.Tasks.Fork(a, "child");
        var b = kernel.Tasks.Fork(kernel.Tasks.Init, "b");
        var thread = kernel.Tasks.ForkThread(a, "a2");

        kernel.Tasks.Exec(thread, "new");

        Walk(kernel, obj, "children", kernel.Tasks.Init).Should().Be(Pids(thread, b));
        Walk(kernel, obj, "children", thread).Should().Be(Pids(child));
        Walk(kernel, obj, "processes", kernel.Tasks.Init).Should().Be(Pids(thread, child, b));
        Walk(kernel, obj, "threads", thread).Should().Be(Pids(thread));
    }

    [Fact]
    public void CssSet_ListsItsTasks_AndTheDyingOnesApart()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "lists");
        var cgroup = kernel.Cgroups.Create("some");
        var a = kernel.Tasks.Fork(kernel.Tasks.Init, "a");
        var b = kernel.Tasks.Fork(kernel.Tasks.Init, "b");
        kernel.Cgroups.Attach(cgroup, a);
        kernel.Cgroups.Attach(cgroup, b);
        var c = kernel.Tasks.Fork(a, "c");

        Walk(kernel, obj, "of_cgroup", a).Should().Be(Pids(a, b, c) * 1000000);
        kernel.Tasks.Exit(b);
        Walk(kernel, obj, "of_cgroup", a).Should().Be((Pids(a, c) * 1000000) + Pids(b));
        kernel.Tasks.Reap(b).Should().BeTrue();
        Walk(kernel, obj, "of_cgroup", a).Should().Be(Pids(a, c) * 1000000);
        kernel.Cgroups.Attach(kernel.Cgroups.Root, c);
        Walk(kernel, obj, "of_cgroup", a).Should().Be(Pids(a) * 1000000);
    }

    [Fact]
    public void Cgroup_IsAmongItsParentsChildren_UntilItIsReleased()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "lists");
        var gone = kernel.Cgroups.Create("gone");
        kernel.Cgroups.Create("stays");
        var pin = KernelRef.TryAcquire(gone)!.Value;

        Walk(kernel, obj, "child_cgroups", kernel.Tasks.Init).Should().Be(2);
        kernel.Cgroups.Remove(gone).Should().Be(Errno.None);
        kernel.Quiesce();
        Walk(kernel, obj, "child_cgroups", kernel.Tasks.Init).Should().Be(2, "offline, but pinned");
        pin.Release();
        kernel.Quiesce();
        Walk(kernel, obj, "child_cgroups", kernel.Tasks.Init).Should().Be(1);
    }

    private static ulong Walk(KernelModel kernel, BpfObject obj, string program, TaskStruct current)
    {
        using (kernel.Tasks.Run(current))
        {
            Run(obj, program).Should().Be(0);
        }

        return Seen(obj);
    }

    private static ulong Pids(params TaskStruct[] tasks) =>
        tasks.Aggregate(0UL, (sum, t) => (sum * 1000) + (ulong)t.Pid);
}
