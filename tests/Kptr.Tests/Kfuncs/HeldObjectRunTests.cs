using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Kfuncs;

/// <summary>
/// Runs the programs of <c>tests/data/run</c> that hold connections, keys, files, ciphers,
/// mappings; all counts come back.
/// </summary>
public class HeldObjectRunTests : RunTestBase
{
    [Fact]
    public void Connection_Inserted_IsPinnedByTheTableAlone()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "conntrack");

        RunOnPacket(obj, "insert");

        var conn = kernel.Conntrack.All.Should().ContainSingle().Subject;
        conn.Count.Value.Should().Be(1, "the table's; the program gave its own back");
        conn.TimeoutMs.Should().Be(20000);
        kernel.Ledger.AssertNoLeaks();

        RunOnPacket(obj, "found_both_ways");
        RunOnPacket(obj, "insert_again");
        kernel.Quiesce();
        kernel.Conntrack.All.Should().Equal(conn);
        conn.Count.Value.Should().Be(1);

        kernel.Conntrack.Remove(conn).Should().BeTrue();
        AssertAllReturned(kernel);
    }

    [Fact]
    public void Connection_LookedUpWrongly_SaysWhy()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "conntrack");

        RunOnPacket(obj, "refused");

        AssertAllReturned(kernel);
    }

    [Fact]
    public void Connection_Translated_IsFoundByItsReplies()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "conntrack");

        RunOnPacket(obj, "translated");

        var conn = kernel.Conntrack.All.Should().ContainSingle().Subject;
        conn.ReplyTuple.ToString().Should().Be("tcp [::2]:80 - [::9]:5000");
        kernel.Conntrack.Remove(conn);
        AssertAllReturned(kernel);
    }

    [Fact]
    public void Keys_LookedUp_ArePutBack()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "security");
        var file = new KernelFile(kernel, "/etc/passwd");

        obj.Programs["keys"].RunWithArgs(file.Address, 0).Should().Be(new ProgramResult(0, null));

        Failed(obj).Should().Be(0);
        file.Close();
        AssertAllReturned(kernel);
    }

    [Fact]
    public void ExeFile_OfATask_IsPinnedOnlyDuringTheRun()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "security");
        var exe = new KernelFile(kernel, "/usr/bin/x");
        var file = new KernelFile(kernel, "/etc/passwd");
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "x");
        task.Mm!.SetExeFile(exe);
        exe.Close();
        exe.Count.Value.Should().Be(1, "the address space");

        using (kernel.Tasks.Run(task))
        {
            obj.Programs["files"].RunWithArgs(file.Address, 0).Should().Be(new ProgramResult(0, null));
        }

        Failed(obj).Should().Be(0);
        exe.Count.Value.Should().Be(1);
        var bss = new byte[obj.Maps[".bss"].ValueSize];
        obj.Maps[".bss"].LookupElem(new byte[4], bss).Should().Be(Errno.None);
        System.Text.Encoding.ASCII.GetString(bss).Should().Contain("/usr/bin/x\0").And.Contain("/etc/passwd\0");
        file.Close();
        End(kernel, task);
        exe.IsFreed.Should().BeTrue("it went with the task's address space");
        AssertAllReturned(kernel);
    }

    [Fact]
    public void Cipher_InAMap_WorksForOtherProgramsUntilTheMapGoes()
    {
        using var kernel = NewKernel();
        using (var obj = Load(kernel, "cipher"))
        {
            Run(obj, "create").Should().Be(0);
            kernel.Ledger.AssertNoLeaks();
            RunOnPacket(obj, "use");
            Run(obj, "create").Should().Be(0, "the second displaces the first");
            kernel.Quiesce();
            kernel.Ledger.Snapshot().Entries.Count(e => e.TypeName == "bpf_crypto_ctx").Should().Be(1);
        }

        AssertAllReturned(kernel);
    }

    [Fact]
    public void CssTaskIterator_MeetsTheTasksOfTheCgroupAlone()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "walk");
        var cgroup = kernel.Cgroups.Create("some");
        var inside = kernel.Tasks.Fork(kernel.Tasks.Init, "inside");
        kernel.Tasks.Fork(kernel.Tasks.Init, "outside");
        kernel.Cgroups.Attach(cgroup, inside);
        var thread = kernel.Tasks.ForkThread(inside, "inside2");

        Run(obj, "css_task_iter", BitConverter.GetBytes(cgroup.Id)).Should().Be(0);

        Seen(obj).Should().Be((ulong)(inside.Pid + thread.Pid));
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void VmaIterator_MeetsTheMappingsFromAnAddressOn_AndGivesTheAddressSpaceBack()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "walk");
        var mm = kernel.Tasks.Init.Mm!;
        mm.Map(new(0x1000, 0x2000, 0));
        mm.Map(new(0x10000, 0x14000, 0));
        mm.Map(new(0x20000, 0x28000, 0));

        Run(obj, "vma_iter", BitConverter.GetBytes(0x12000UL)).Should().Be(0);

        Seen(obj).Should().Be(4 + 8);
        obj.Programs["find_vma"].RunWithArgs(0, 0).Should().Be(new ProgramResult(0, null));
        Seen(obj).Should().Be(4);
        mm.Count.Value.Should().Be(1);
    }

    private static void RunOnPacket(BpfObject obj, string program)
    {
        var output = obj.Programs[program].TestRun(new TestInput { Packet = new byte[64] });
        (output.ReturnValue, output.Fault).Should().Be((0, null));
    }

    private static ulong Failed(BpfObject obj) => Seen(obj);

    private static void AssertAllReturned(KernelModel kernel)
    {
        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
        kernel.Faults.Should().BeEmpty();
    }
}
