using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Tests.Shared;

namespace Kptr.Public.Tests.Events;

/// <summary>Signals and opened files: who is asked, who is told, and what happens then.</summary>
public sealed class SignalTests : IDisposable
{
    private readonly KernelModel _kernel = PublicKernel.Boot();

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void Kill_TellsOfTheSignal_AndEndsTheProcess()
    {
        List<string> told = [];
        using var asked = _kernel.On("task_kill", (TaskStruct t, ulong info, int signal) =>
            told.Add($"asked for {t.Comm} {signal} by {_kernel.Tasks.Current.Comm}"));
        using var made = _kernel.On("signal_generate", (int signal, ulong info, TaskStruct t, int group, int result) =>
            told.Add($"{signal} for {t.Comm}, {result}"));
        using var came = _kernel.On("signal_deliver", (int signal) =>
            told.Add($"{signal} at {_kernel.Tasks.Current.Comm}"));
        var shell = _kernel.Tasks.Fork(_kernel.Tasks.Init, "sh");
        var job = _kernel.Tasks.Fork(_kernel.Tasks.Init, "job");
        var thread = _kernel.Tasks.ForkThread(job);

        _kernel.Tasks.Kill(shell, job, 0).Should().Be(Errno.None);
        _kernel.Tasks.Kill(shell, job, 17).Should().Be(Errno.None);
        _kernel.Tasks.Kill(shell, job, 19).Should().Be(Errno.None);
        job.Phase.Should().Be(TaskPhase.Alive);
        _kernel.Tasks.Kill(shell, thread, 15).Should().Be(Errno.None);

        (job.Phase, job.ExitCode, thread.ExitCode).Should().Be((TaskPhase.Zombie, 15, 15));
        _kernel.Tasks.Kill(shell, job, 9).Should().Be(Errno.None, "a zombie ignores it");
        told.Should().Equal(
            "asked for job 0 by sh", "asked for job 17 by sh", "17 for job, 1", "asked for job 19 by sh",
            "19 for job, 0", "19 at job", "asked for job 15 by sh", "15 for job, 0", "15 at job",
            "asked for job 9 by sh", "9 for job, 1");
        _kernel.Tasks.Reap(job);
        _kernel.Tasks.Kill(shell, job, 9).Should().Be(Errno.ESRCH);
        _kernel.Invoking(k => k.Tasks.Kill(job, shell, 9)).Should().Throw<InvalidOperationException>();
        _kernel.Quiesce();
        _kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Kill_IsForRootAndTheSameUser()
    {
        var (mine, theirs) = (_kernel.Tasks.Fork(_kernel.Tasks.Init), _kernel.Tasks.Fork(_kernel.Tasks.Init));
        mine.SetUser(1000, 1000);
        theirs.SetUser(33, 33);
        var twin = _kernel.Tasks.Fork(mine);

        _kernel.Tasks.Kill(mine, theirs, 9).Should().Be(Errno.EPERM);
        _kernel.Tasks.Kill(mine, _kernel.Tasks.Init, 9).Should().Be(Errno.EPERM);
        _kernel.Tasks.Kill(mine, twin, 65).Should().Be(Errno.EINVAL);
        _kernel.Tasks.Kill(mine, twin, 9).Should().Be(Errno.None);
        _kernel.Tasks.Kill(_kernel.Tasks.Init, theirs, 9).Should().Be(Errno.None);
        _kernel.Tasks.Kill(_kernel.Tasks.Init, _kernel.Tasks.Init, 9).Should().Be(Errno.None, "it ignores them");

        (mine.Phase, twin.Phase, theirs.Phase).Should().Be((TaskPhase.Alive, TaskPhase.Zombie, TaskPhase.Zombie));
        _kernel.Tasks.Init.Phase.Should().Be(TaskPhase.Alive);
    }

    [Fact]
    public void Open_GivesADescriptor_UnlessALsmProgramRefuses()
    {
        using var obj = BpfObject.Open(
            Path.Combine(RepoRoot.Path, "tests", "data", "run", "hooks.bpf.o")).Load(_kernel);
        List<string> opened = [];
        using var told = _kernel.On("file_open", (KernelFile file) => opened.Add(file.Path));
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init);
        using (obj.Programs["first"].Attach())
        {
            obj.Variables["answer"].Set(-13L);
            _kernel.Tasks.Open(task, "/etc/shadow", out var none).Should().Be(Errno.EACCES);
            none.Should().Be(-1);
            obj.Variables["answer"].Set(0L);
            _kernel.Tasks.Open(task, "/etc/passwd", out var fd).Should().Be(Errno.None);
            (fd, task.Files!.Find(fd)!.Path).Should().Be((0, "/etc/passwd"));
        }

        opened.Should().Equal("/etc/shadow", "/etc/passwd");
        var kthread = _kernel.Tasks.ForkKthread("kworker");
        _kernel.Invoking(k => k.Tasks.Open(kthread, "/x", out _)).Should().Throw<InvalidOperationException>();
        var file = task.Files.Find(0)!;
        file.Count.Value.Should().Be(1, "the descriptor alone holds it");
        _kernel.Tasks.Exit(task);
        _kernel.Invoking(k => k.Tasks.Open(task, "/x", out _)).Should().Throw<InvalidOperationException>();
        _kernel.Quiesce();
        file.IsFreed.Should().BeTrue();
        _kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Fork_ThatAnLsmProgramRefuses_LeavesNobody()
    {
        using var obj = BpfObject.Open(
            Path.Combine(RepoRoot.Path, "tests", "data", "run", "open_files.bpf.o")).Load(_kernel);
        using var link = obj.Programs["may_fork"].Attach();
        obj.Variables["is_full"].Set(true);
        var fork = () => _kernel.Tasks.Fork(_kernel.Tasks.Init, "job");
        fork.Should().Throw<InvalidOperationException>().WithMessage("*task_alloc*EAGAIN*");
        var before = _kernel.Tasks.All.Length;
        fork.Should().Throw<InvalidOperationException>();
        _kernel.Tasks.Adopt(_kernel.Tasks.Init, new() { Comm = "old" }).Phase.Should().Be(TaskPhase.Alive);

        _kernel.Tasks.All.Should().HaveCount(before + 1, "the one that was there before is not asked for");
        obj.Variables["is_full"].Set(false);
        fork().Phase.Should().Be(TaskPhase.Alive);
        _kernel.Quiesce();
        _kernel.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Fork_AsksBeforeAnybodySeesTheChild_AndItsEndIsTold()
    {
        List<string> told = [];
        using var asked = _kernel.On("task_alloc", (TaskStruct t) => told.Add($"made {t.Comm}"));
        using var seen = _kernel.On("task_newtask", (TaskStruct t) => told.Add($"seen {t.Comm}"));
        using var freed = _kernel.On("task_free", () => told.Add("freed"));

        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init, "job");
        _kernel.Tasks.Exit(task);
        _kernel.Tasks.Reap(task);
        _kernel.Quiesce();

        told.Should().Equal("made job", "seen job", "freed");
    }
}
