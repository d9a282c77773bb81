using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Tests.Kfuncs;

/// <summary>Runs the programs of <c>tests/data/run</c>: each returns 0, or the C line whose check failed.</summary>
public class RunTests : RunTestBase
{
    public static TheoryData<string, string> Programs => new()
    {
        { "graphs", "list_keeps_order" }, { "graphs", "tree_sorts" }, { "graphs", "second_push_fails" },
        { "stash", "put" },
        { "walk", "num_iter" }, { "walk", "bits_iter" }, { "walk", "loops" },
        { "bytes", "dynptrs" }, { "bytes", "records" }, { "bytes", "text" },
        { "kernel_objects", "no_such_pid" }, { "kernel_objects", "masks" },
        { "later", "start_work" },
        { "arena", "pages" }, { "arena", "faults" }, { "arena", "atomics" }, { "arena", "widths" },
        { "control", "symbols" },
    };

    [Theory, MemberData(nameof(Programs))]
    public void Program_OnItsOwn_PassesItsChecksAndLeavesNothingBehind(string file, string program)
    {
        using var kernel = NewKernel();
        using (var obj = Load(kernel, file))
        {
            Run(obj, program).Should().Be(0);
            kernel.Ledger.FindLeaks().Should().BeEmpty();
        }

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void List_AndTree_KeepARefcountedObjectUntilTheMapIsFreed()
    {
        using var kernel = NewKernel();
        using (var obj = Load(kernel, "graphs"))
        {
            Run(obj, "leave_in_both").Should().Be(0);
            kernel.Quiesce();
            var held = kernel.Ledger.Snapshot().Entries.Where(e => e.Holder is CollectionHolder).ToList();
            held.Should().HaveCount(2, "one in the list, one in the tree");
            held.Select(e => e.Address).Distinct().Should().ContainSingle();
            kernel.Ledger.AssertNoLeaks();
        }

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void LocalKptr_StoredByOneProgram_IsTakenByAnother()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "stash");

        Run(obj, "take").Should().NotBe(0, "nothing is there yet");
        Run(obj, "put").Should().Be(0);
        Run(obj, "put").Should().Be(0, "the second displaces the first");
        Run(obj, "take").Should().Be(0);

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void PercpuKptr_HasOneCopyForEachCpu()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "stash");

        Run(obj, "hit_percpu").Should().NotBe(0, "nothing is there yet");
        Run(obj, "put_percpu").Should().Be(0);
        Run(obj, "hit_percpu").Should().Be(0);
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Timer_FiresWhenTheClockGetsThere_WithItsKey()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "later");
        Run(obj, "start_timer").Should().Be(0);
        Fired(obj).Should().Be(0);

        kernel.VirtualClock.Advance(TimeSpan.FromMicroseconds(1));

        Fired(obj).Should().Be(107);
        kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Timer_Cancelled_DoesNotFire_AndNeedsItsCallbackAgain()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "later");
        Run(obj, "start_timer").Should().Be(0);

        Run(obj, "cancel_timer").Should().Be(0);
        kernel.VirtualClock.Advance(TimeSpan.FromSeconds(1));

        Fired(obj).Should().Be(0);
    }

    [Fact]
    public void Timer_OfADeletedElement_NeverFires()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "later");
        Run(obj, "start_timer").Should().Be(0);
        obj.Maps["alarms"].DeleteElem(BitConverter.GetBytes(7)).Should().Be(Errno.None);

        kernel.VirtualClock.Advance(TimeSpan.FromSeconds(1));
        kernel.Quiesce();

        obj.Programs["start_timer"].RunCount.Should().Be(1);
        kernel.Faults.Should().BeEmpty();
        kernel.Host.Async.Count.Should().Be(0);
    }

    [Fact]
    public void Work_RunsInTheWorkQueue_WithItsKey()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "later");
        Run(obj, "start_work").Should().Be(0);

        kernel.Quiesce();

        var job = new byte[24];
        obj.Maps["jobs"].LookupElem(BitConverter.GetBytes(2), job).Should().Be(Errno.None);
        BitConverter.ToUInt64(job, 16).Should().Be(12);
        kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void TaskIterator_MeetsEveryThread()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "walk");
        var a = kernel.Tasks.Fork(kernel.Tasks.Init, "a");
        var thread = kernel.Tasks.ForkThread(a, "a2");

        Run(obj, "task_iter").Should().Be(0);

        Seen(obj).Should().Be((ulong)(kernel.Tasks.Init.Pid + a.Pid + thread.Pid));
    }

    [Fact]
    public void CssIterator_MeetsTheCgroupAndAllBelow()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "walk");
        var top = kernel.Cgroups.Create("top");
        kernel.Cgroups.Create(kernel.Cgroups.Create(top, "mid"), "low");

        Run(obj, "css_iter", BitConverter.GetBytes(top.Id)).Should().Be(0);

        Seen(obj).Should().Be(3);
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void RingBuffer_GivesUserSpaceTheSubmittedRecordsInOrder()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "bytes");
        Run(obj, "records").Should().Be(0);

        var ring = (RingBufMap)obj.Maps["ring"];
        var firstWords = new List<ulong>();
        while (ring.TryRead(out var record))
        {
            firstWords.Add(BitConverter.ToUInt64(record));
        }

        firstWords.Should().Equal(1, 2, 3);
    }

    [Fact]
    public void TracePrintk_GoesToTheTracePipe()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "bytes");

        Run(obj, "text").Should().Be(0);

        kernel.TracePipe.Should().Equal("pid 1 says init, 0xabc%");
    }

    [Fact]
    public void TaskStorage_PinsAFriend_UntilItsOwnerIsFreed()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "kernel_objects");
        var owner = kernel.Tasks.Fork(kernel.Tasks.Init, "owner");
        var friend = kernel.Tasks.Fork(kernel.Tasks.Init, "friend");

        Run(obj, "befriend", [
            .. BitConverter.GetBytes(owner.Pid), .. BitConverter.GetBytes(friend.Pid),
        ]).Should().Be(0);
        friend.Count.Value.Should().Be(3, "user-visible state, scheduler, the note");
        End(kernel, friend);
        friend.Count.Value.Should().Be(1, "only the note pins it");
        friend.IsFreed.Should().BeFalse();

        End(kernel, owner);
        owner.IsFreed.Should().BeTrue();
        friend.IsFreed.Should().BeTrue("its last reference went with the owner's storage");
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void CgroupAncestor_InAMap_OutlivesItsDirectory()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "kernel_objects");
        var parent = kernel.Cgroups.Create("parent");
        var child = kernel.Cgroups.Create(parent, "child");
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "inside");
        kernel.Cgroups.Attach(child, task);

        using (kernel.Tasks.Run(task))
        {
            Run(obj, "keep_parent", BitConverter.GetBytes(child.Id)).Should().Be(0);
        }

        End(kernel, task);
        kernel.Cgroups.Remove(child).Should().Be(Errno.None);
        kernel.Cgroups.Remove(parent).Should().Be(Errno.None);
        kernel.Quiesce();
        child.IsFreed.Should().BeTrue();
        parent.IsFreed.Should().BeFalse("the map pins it");
        obj.Dispose();
        kernel.Quiesce();
        parent.IsFreed.Should().BeTrue();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void TailCall_GoesToTheProgramInTheSlot()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "kernel_objects");

        obj.Programs["jump"].RunWithArgs(0, 0).Should().Be(new ProgramResult(77, null));
    }

    [Fact]
    public void TailCall_FromASubprogram_HasAStackOfItsOwn()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "kernel_objects");

        obj.Programs["deep"].RunWithArgs(0, 0).Should().Be(new ProgramResult(2, null));

        Seen(obj).Should().Be(34, "33 tail calls and the first entry");
    }

    private static ulong Fired(BpfObject obj)
    {
        var alarm = new byte[24];
        obj.Maps["alarms"].LookupElem(BitConverter.GetBytes(7), alarm).Should().Be(Errno.None);
        return BitConverter.ToUInt64(alarm, 16);
    }
}
