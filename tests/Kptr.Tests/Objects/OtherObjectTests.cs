using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

public class OtherObjectTests
{
    private static readonly FlowTuple Flow = new(0x0a000001, 1024, 0x0a000002, 80, 6);

    [Fact]
    public void Conntrack_TheTableHasAReferenceOfItsOwn()
    {
        using var core = TestKernel.Boot();
        var conn = core.Conntrack.Allocate(Flow);                       // 1: mine
        core.Conntrack.Insert(conn).Should().Be(Errno.None);            // 2: mine, table
        conn.Count.Value.Should().Be(2);
        core.Conntrack.Find(Flow.Reversed).Should().BeSameAs(conn);
        var twin = core.Conntrack.Allocate(Flow.Reversed);
        core.Conntrack.Insert(twin).Should().Be(Errno.EEXIST);
        KernelRef.Own(twin).Release();
        KernelRef.Own(conn).Release();                                  // 1: table
        core.Conntrack.Remove(conn).Should().BeTrue();                  // 0
        core.Conntrack.Remove(conn).Should().BeFalse();
        core.Quiesce();
        (conn.IsFreed, twin.IsFreed).Should().Be((true, true));
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Cpumask_IsFreedAfterTheLastReference()
    {
        using var core = TestKernel.Boot();
        var mask = new Cpumask(core);
        mask.Add(1).Should().BeFalse();
        mask.Add(1).Should().BeTrue();
        mask.Add(core.CpuCount).Should().BeFalse();
        mask.Cpus.Should().Equal(1);
        mask.Remove(1).Should().BeTrue();
        mask.Contains(1).Should().BeFalse();
        KernelRef.Own(mask).Release();
        core.Quiesce();
        mask.IsFreed.Should().BeTrue();
    }

    [Fact]
    public void CryptoCtx_DecryptsWhatItEncrypted_AndRefusesWhatDoesNotFit()
    {
        using var core = TestKernel.Boot();
        var ctx = new CryptoCtx(core, "ecb(aes)", new byte[16]);
        byte[] secret = new byte[16], back = new byte[16];
        ctx.TryEncrypt("sixteen bytes ok"u8, secret, []).Should().BeTrue();
        ctx.TryDecrypt(secret, back, []).Should().BeTrue();
        back.Should().Equal("sixteen bytes ok"u8.ToArray());
        ctx.TryEncrypt("short"u8, secret, []).Should().BeFalse();
        var bad = () => new CryptoCtx(core, "rot13", new byte[16]);
        bad.Should().Throw<ArgumentException>();
        KernelRef.Own(ctx).Release();
        core.Quiesce();
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void File_IsPinnedByItsMappings()
    {
        using var core = TestKernel.Boot();
        var file = new KernelFile(core, "/usr/bin/nginx");              // 1: descriptor
        var task = core.Tasks.Fork(core.Tasks.Init);
        task.Mm!.Map(new(0x1000, 0x3000, 5, file));                     // 2
        task.Mm.SetExeFile(file);                                       // 3
        var child = core.Tasks.Fork(task);                              // 5: the copy has both
        file.Count.Value.Should().Be(5);
        child.Mm!.VmasFrom(0x2000).Should().HaveCount(1);
        var overlap = () => task.Mm.Map(new(0x2000, 0x4000, 5));
        overlap.Should().Throw<ArgumentException>();
        file.Close();                                                   // 4
        core.Tasks.Exec(child, "sh");                                   // 2
        file.Count.Value.Should().Be(2);
        core.Tasks.Exit(task);                                          // 0
        core.Quiesce();
        file.IsFreed.Should().BeTrue();
        core.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Sock_IsFoundByItsTuple_UntilItIsClosed()
    {
        using var core = TestKernel.Boot();
        var listener = new Sock(core, new(0x0a000002, 80, 0, 0, 6));
        core.Sockets.Add(listener);
        core.Sockets.Find(Flow.Reversed).Should().BeSameAs(listener);
        var mine = listener.TryAcquire()!.Value;
        listener.Close();
        core.Sockets.Find(Flow.Reversed).Should().BeNull();
        mine.Release();
        core.Quiesce();
        listener.IsFreed.Should().BeTrue();
    }
}
