using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Objects;

/// <summary>A kernel object that a user declares: its C type, its count, its destructor.</summary>
public sealed class Gadget(KernelCore kernel, int serial) : KernelObject(kernel, "gadget", "usage.refs.counter")
{
    public const string Declaration = "struct gadget { refcount_t usage; int serial; char name[8]; };";

    public int Serial { get; } = serial;

    public int DestructorRuns { get; private set; }

    public void Announce() => Write("serial", Serial);

    protected override void OnFree() => DestructorRuns++;
}

public class OwnObjectTests
{
    [Fact]
    public void DeclaredObject_LiesInMemoryAsItsTypeSays()
    {
        var spec = BuiltinKernel.Spec(KernelProfile.Linux6_12, KfuncRegistry.Builtin, Gadget.Declaration);
        using var kernel = new KernelCore(spec, new() { Driver = DeferredDriver.Manual });
        var gadget = new Gadget(kernel, 42);
        gadget.Announce();
        gadget.Read<int>("serial").Should().Be(42);
        gadget.Read<int>("usage").Should().Be(1);
        gadget.SizeBytes.Should().Be(16);
        var reference = KernelRef.Own(gadget);
        reference.TryClone()!.Value.Release();
        reference.Release();
        kernel.Quiesce();
        gadget.DestructorRuns.Should().Be(1);
        kernel.Ledger.AssertAllReturned();
        var missing = () => gadget.Read<int>("nothing");
        missing.Should().Throw<ArgumentException>().WithMessage("struct gadget has no field nothing*");
    }

    [Fact]
    public void TaskFields_AreThoseOfTheBuiltinKernel()
    {
        using var kernel = new KernelCore(
            BuiltinKernel.Spec(KernelProfile.Linux6_12), new() { Driver = DeferredDriver.Manual });
        var cgroup = kernel.Cgroups.Create("web");
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
        kernel.Cgroups.Attach(cgroup, task);
        task.Layout.Type.Should().NotBeNull();
        TaskFields.Task.Select(f => f.Path).Where(p => !task.Layout.IsDeclared(p)).Should().BeEmpty(
            "programs can see all of them");
        task.Read<int>("rcu_users").Should().Be(2);
        task.Read<int>("usage").Should().Be(1);
        task.Read<int>("pid").Should().Be(task.Pid);
        task.Read<ulong>("group_leader").Should().Be(task.Address);
        Follow(kernel, task.Read<ulong>("cgroups"), "css_set", "dfl_cgrp").Should().Be(cgroup.Address);
        Follow(kernel, cgroup.Read<ulong>("kn"), "kernfs_node", "id").Should().Be(cgroup.Id);
        Follow(kernel, task.Read<ulong>("thread_pid"), "pid", "numbers[0].nr").Should().Be((ulong)task.Pid);
        cgroup.Read<ulong>("ancestors[1]").Should().Be(cgroup.Address);
    }

    private static ulong Follow(KernelCore kernel, ulong address, string typeName, string path) =>
        KernelMemory.Get(address, kernel.LayoutOf(typeName, []).Field(path));
}
