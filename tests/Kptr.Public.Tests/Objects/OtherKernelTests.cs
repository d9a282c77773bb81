using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tests.Shared;

namespace Kptr.Public.Tests.Objects;

/// <summary>Nothing of one kernel is handed to another: their tables, locks and memory must not mix.</summary>
public class OtherKernelTests
{
    [Fact]
    public void ObjectsOfAnotherKernel_AreRefused_AndStayAsTheyWere()
    {
        using var kernel = PublicKernel.Boot();
        using var other = PublicKernel.Boot();
        var (tasks, groups) = (kernel.Tasks, kernel.Cgroups);
        var (mine, theirs) = (tasks.Fork(tasks.Init), other.Tasks.Fork(other.Tasks.Init));
        var (group, foreign) = (groups.Create("g"), other.Cgroups.Create("g"));
        var (file, sock) = (new KernelFile(other, "/f"), new Sock(other, default));
        var conn = other.Conntrack.Allocate(default);
        using var map = new ArrayMap<int>(other, 1);
        using var obj = BpfObject.Open(Path.Combine(RepoRoot.Path, "tests", "data", "run", "open_files.bpf.o"))
            .Load(kernel);
        var iterator = obj.Programs["each_file"];
        Action[] all =
        [
            () => tasks.Fork(theirs), () => tasks.Fork(theirs, new ForkOptions()), () => tasks.ForkThread(theirs),
            () => tasks.Adopt(theirs, new()), () => tasks.Exit(theirs), () => tasks.ExitProcess(theirs),
            () => tasks.Reap(theirs), () => tasks.SwitchOut(theirs), () => tasks.SwitchOut(mine, theirs),
            () => tasks.ThreadsOf(theirs), () => tasks.ChildrenOf(theirs), () => tasks.Exec(theirs, "x"),
            () => tasks.Rename(theirs, "x"), () => tasks.Kill(theirs, mine, 0), () => tasks.Kill(mine, theirs, 0),
            () => tasks.Open(theirs, "/f", out _), () => tasks.Run(theirs),
            () => groups.Create(foreign, "x"), () => groups.Remove(foreign), () => groups.ChildrenOf(foreign),
            () => groups.Attach(foreign, mine), () => groups.Attach(group, theirs),
            () => mine.Files!.Open(file), () => mine.Mm!.SetExeFile(file), () => mine.Mm!.Map(new(0, 1, 0, file)),
            () => _ = new KernelFile(kernel, sock), () => kernel.Sockets.Add(sock),
            () => kernel.Conntrack.Insert(conn), () => kernel.Conntrack.Remove(conn),
            () => iterator.Iterate(new() { Task = theirs }), () => iterator.Iterate(new() { Cgroup = foreign }),
            () => iterator.Iterate(new() { Map = map }), () => iterator.TestRun(new TestInput { Socket = sock }),
        ];

        var taken = all.Select((act, i) => (Thrown: Record.Exception(act), i))
            .Where(r => r.Thrown is not ArgumentException || !r.Thrown.Message.Contains("another kernel"));

        taken.Should().BeEmpty();
        (theirs.Phase, theirs.Comm, foreign.IsOnline).Should().Be((TaskPhase.Alive, "init", true));
        new KernelObject[] { file, sock, conn }.Select(o => o.IsFreed).Should().AllBeEquivalentTo(false);
        other.Sockets.All.Should().BeEmpty();
        kernel.Sockets.All.Should().BeEmpty();
    }
}
