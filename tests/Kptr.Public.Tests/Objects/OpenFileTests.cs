using Kptr.Objects;
using Kptr.Tests.Shared;

namespace Kptr.Public.Tests.Objects;

/// <summary>What processes have open is counted as in Linux: by descriptors and copies of their table.</summary>
public sealed class OpenFileTests : IDisposable
{
    private static readonly FlowTuple Listener = new(0x7f000001, 80, 0, 0, 6);
    private readonly KernelModel _kernel = PublicKernel.Boot();

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void Fork_CopiesTheTable_AndThreadsShareIt()
    {
        var file = new KernelFile(_kernel, "/etc/passwd");              // 1: mine
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        task.Files!.Open(file).Should().Be(0);                          // 2
        task.Files.Open(file, 7).Should().Be(7);                        // 3
        file.Close();                                                   // 2
        var child = _kernel.Tasks.Fork(task);                           // 4
        var thread = _kernel.Tasks.ForkThread(child);
        var sibling = _kernel.Tasks.Fork(child, flags: CloneFlags.Files);

        file.Count.Value.Should().Be(4);
        thread.Files.Should().BeSameAs(child.Files).And.BeSameAs(sibling.Files);
        child.Files!.Count.Value.Should().Be(3);
        child.Files.All.Select(f => f.Fd).Should().Equal(0, 7);
        file.IntrinsicHolders().Select(h => h.ToString()).Should().Contain(
            h => h!.Contains($"descriptor 7 of process {child.Pid}", StringComparison.Ordinal));
        child.Files.Close(0).Should().BeTrue();                         // 3
        child.Files.Close(0).Should().BeFalse();
        child.Files.Open(file).Should().Be(0, "the lowest that is free");  // 4
        _kernel.Tasks.Exec(sibling, "sh");                              // 6: it shares with nobody any more
        file.Count.Value.Should().Be(6);

        var table = child.Files;
        _kernel.Tasks.ExitProcess(child);                               // 4: of task and sibling
        file.Count.Value.Should().Be(4);
        child.Files.Should().BeNull();
        thread.Files.Should().BeNull();
        _kernel.Tasks.Exit(task);                                       // 2
        _kernel.Tasks.Exit(sibling);                                    // 0
        _kernel.Quiesce();
        (file.IsFreed, table.IsFreed).Should().Be((true, true));
        _kernel.Faults.Should().BeEmpty();
        table.Invoking(t => t.Open(new KernelFile(_kernel, "/late"))).Should().NotThrow();
        _kernel.TakeFaults().Should().ContainSingle("a table that nobody uses takes no file");
    }

    [Fact]
    public void Exec_KeepsATableOfOnesOwn_AndAKernelThreadGetsOne()
    {
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        var table = task.Files!;
        _kernel.Tasks.Exec(task, "sh");
        task.Files.Should().BeSameAs(table);
        var kthread = _kernel.Tasks.ForkKthread("kworker");
        kthread.Files.Should().BeNull();
        _kernel.Tasks.Exec(kthread, "modprobe");
        kthread.Files!.All.Should().BeEmpty();
    }

    [Fact]
    public void Socket_ClosesWithTheLastReferenceOnItsFile()
    {
        var socket = new Sock(_kernel, Listener);
        _kernel.Sockets.Add(socket);
        var file = new KernelFile(_kernel, socket);
        file.Path.Should().Be($"socket:[{socket.Cookie}]");
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        task.Files!.Open(file, 3);
        file.Close();
        _kernel.Sockets.Find(Listener).Should().BeSameAs(socket);

        _kernel.Tasks.Exit(task);

        (socket.IsClosed, _kernel.Sockets.Find(Listener)).Should().Be((true, null));
        _kernel.Quiesce();
        (socket.IsFreed, file.IsFreed).Should().Be((true, true));
        _kernel.Invoking(k => new KernelFile(k, socket)).Should().Throw<ObjectDisposedException>();
        _kernel.Faults.Should().BeEmpty();
        _kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void NumbersOutOfRange_AndForeignFiles_AreRefused_AndNothingIsHeld()
    {
        using var other = PublicKernel.Boot();
        var files = _kernel.Tasks.Init.Files!;
        var mine = new KernelFile(_kernel, "/mine");

        files.Invoking(f => f.Open(new KernelFile(other, "/theirs"))).Should().Throw<ArgumentException>();
        files.Invoking(f => f.Open(mine, -1)).Should().Throw<ArgumentOutOfRangeException>();
        files.Invoking(f => f.Open(mine, FilesStruct.FdMax)).Should().Throw<ArgumentOutOfRangeException>();
        files.Invoking(f => f.Open(null!)).Should().Throw<ArgumentNullException>();
        files.Close(-1).Should().BeFalse();
        files.Find(int.MaxValue).Should().BeNull();
        mine.Count.Value.Should().Be(1);
        mine.Close();
        _kernel.Quiesce();
        files.Invoking(f => f.Open(mine)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Open_OfADescriptorThatIsOpen_ClosesWhatWasThere()
    {
        var files = _kernel.Tasks.Init.Files!;
        var (old, young) = (new KernelFile(_kernel, "/old"), new KernelFile(_kernel, "/young"));
        files.Open(old, 2);
        old.Close();

        files.Open(young, 2).Should().Be(2);

        _kernel.Quiesce();
        (old.IsFreed, files.Find(2)).Should().Be((true, young));
        young.Count.Value.Should().Be(2);
    }

    [Fact]
    public void Iterator_GoesOverDescriptors_AndFindsTheSocketOfAFile()
    {
        using var obj = BpfObject.Open(Path.Combine(
            RepoRoot.Path, "tests", "data", "run", "open_files.bpf.o")).Load(_kernel);
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        var file = new KernelFile(_kernel, "/etc/passwd");
        var socket = new KernelFile(_kernel, new Sock(_kernel, Listener));
        task.Files!.Open(file);
        task.Files.Open(socket, 5);
        _kernel.Tasks.Fork(task);

        var all = obj.Programs["each_file"].Iterate();
        var one = obj.Programs["each_file"].Iterate(new() { Task = task });

        all.Text.Should().Be(FormattableString.Invariant(
            $"{task.Pid} 0 port 0\n{task.Pid} 5 port 80\n{task.Pid + 1} 0 port 0\n{task.Pid + 1} 5 port 80\nend\n"));
        (all.RunCount, one.RunCount, all.Fault).Should().Be((5, 3, null));
        file.Count.Value.Should().Be(3, "the iterator's own pins are given back");
    }

    [Fact]
    public void ForksAndExits_OfSeveralThreads_LeaveNoFileOpen()
    {
        var files = Enumerable.Range(0, 4).Select(i => new KernelFile(_kernel, $"/{i}")).ToList();
        var parent = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        var threads = Enumerable.Range(0, 4).Select(n => new Thread(() =>
        {
            for (var i = 0; i < 300; i++)
            {
                parent.Files!.Open(files[n]);
                var child = _kernel.Tasks.Fork(parent, flags: i % 3 == 0 ? CloneFlags.Files : CloneFlags.None);
                child.Files!.Close(i % 4);
                _kernel.Tasks.Exec(child, "x");
                child.Files!.Open(files[(n + i) % 4], i % 7);
                _kernel.Tasks.Exit(child);
                _kernel.Tasks.Reap(child);
                foreach (var open in parent.Files.All.Skip(5))
                {
                    parent.Files.Close(open.Fd);
                }
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());

        _kernel.Tasks.Exit(parent);
        _kernel.Quiesce();
        files.Select(f => f.Count.Value).Should().Equal(1, 1, 1, 1);
        files.ForEach(f => f.Close());
        _kernel.Faults.Should().BeEmpty();
    }
}
