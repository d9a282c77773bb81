using Kptr.Diagnostics;

namespace Kptr.Tests.Kfuncs;

/// <summary>
/// Runs <c>tests/data/run/places.bpf.c</c>: hidden headers, maps of places to send packets to, cgroups by index,
/// storage of a run.
/// </summary>
public class PlaceRunTests : RunTestBase
{
    private static readonly byte[] Packet = [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x08, 0x00, 0x45, 0, 0, 40, .. new byte[36],
    ];

    [Fact]
    public void LinkLayer_ThatASocketFilterDoesNotSee_IsReadByItsOffset()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "places");

        RunOn(obj, "hidden_header").ReturnValue.Should().Be(0, "the last load is past the end, which ends the run");
    }

    [Fact]
    public void RedirectMap_WithAnEntry_SendsThere_AndWithoutOneTakesTheFlagsAction()
    {
        const int pass = 2, redirect = 4;
        using var kernel = NewKernel();
        using var obj = Load(kernel, "places");

        RunOn(obj, "to_place").ReturnValue.Should().Be(pass);
        obj.Maps["devices"].UpdateElem(Word(1), Word(7)).Should().Be(Errno.EINVAL, "there is no such device");
        obj.Maps["devices"].UpdateElem(Word(1), Word(1)).Should().Be(Errno.None);
        var sent = RunOn(obj, "to_place");
        (sent.ReturnValue, sent.RedirectTarget).Should().Be((redirect, 1));

        obj.Maps["devices"].UpdateElem(Word(1), Word(0)).Should().Be(Errno.None, "index 0 takes a device out");
        RunOn(obj, "to_place").ReturnValue.Should().Be(pass);
    }

    [Fact]
    public void CgroupArray_PinsItsCgroups_AndKnowsWhoIsUnderThem()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "places");
        var parent = kernel.Cgroups.Create(kernel.Cgroups.Root, "parent");
        var child = kernel.Cgroups.Create(parent, "child");
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "worker");
        kernel.Cgroups.Attach(child, task);
        var groups = obj.Maps["groups"];

        Ask().Should().Be((long)Errno.EAGAIN);
        groups.UpdateElem(Word(1), Word(9999)).Should().Be(Errno.EBADF);
        groups.UpdateElem(Word(1), Word((int)parent.Id)).Should().Be(Errno.None);
        Ask().Should().Be(0, "the first process is in the root");
        using (kernel.Tasks.Run(task))
        {
            Ask().Should().Be(1);
        }

        groups.LookupElem(Word(1), new byte[4]).Should().Be(Errno.ENOTSUPP);
        kernel.Cgroups.Remove(child).Should().Be(Errno.EBUSY, "a task is in it");
        End(kernel, task);
        groups.UpdateElem(Word(1), Word((int)child.Id)).Should().Be(Errno.None, "which gives the parent back");
        groups.DeleteElem(Word(1)).Should().Be(Errno.None);
        groups.DeleteElem(Word(1)).Should().Be(Errno.ENOENT);
        groups.UpdateElem(Word(0), Word((int)child.Id)).Should().Be(Errno.None);
        obj.Dispose();
        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();

        long Ask() => obj.Programs["of_group"].TestRun(new byte[8]).ReturnValue;
    }

    [Fact]
    public void CgroupStorage_IsOfOneRun_AndZeroedForEach()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "places");

        RunOn(obj, "of_run").ReturnValue.Should().Be(1);
        RunOn(obj, "of_run").ReturnValue.Should().Be(1);
        obj.Maps["storage"].LookupElem(new byte[16], new byte[8]).Should().Be(Errno.ENOENT);
    }

    private static byte[] Word(int value) => BitConverter.GetBytes(value);

    private static TestOutput RunOn(BpfObject obj, string program)
    {
        var output = obj.Programs[program].TestRun(new TestInput { Packet = Packet });
        output.Fault.Should().BeNull();
        return output;
    }
}
