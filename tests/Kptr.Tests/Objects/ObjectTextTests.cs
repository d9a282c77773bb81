using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Objects;

/// <summary>What objects and tables say they are, who holds them, and what they say where they refuse.</summary>
public class ObjectTextTests
{
    [Fact]
    public void Texts_SayWhatItIs()
    {
        using var core = TestKernel.Boot();
        var group = core.Cgroups.Create("g");
        var task = core.Tasks.Fork(core.Tasks.Init, "nginx");
        var sock = new Sock(core, new(0x0a000001, 80, 0, 0, 6));
        var conn = core.Conntrack.Allocate(sock.Tuple);
        core.Sockets.Add(sock);
        core.Conntrack.Insert(conn);
        new object[]
        {
            core.Cgroups, core.Cgroups.Root, group, core.Cgroups.Create(group, "h"), core.Tasks, task, core.Sockets,
            core.Conntrack, sock, conn, new ForkOptions(), new ForkOptions { Pid = 4, Tgid = 5 },
            new CpuTime(1_500_000, 2_000),
        }.Select(o => $"{o}").Should().Equal(
            "3 cgroups", "cgroup /", "cgroup /g", "cgroup /g/h", "2 tasks", "task_struct pid 2 \"nginx\"", "1 sockets",
            "conntrack table (2 directions of flows)", "sock tcp 10.0.0.1:80 - 0.0.0.0:0",
            "nf_conn tcp 10.0.0.1:80 - 0.0.0.0:0", "fork of any pid", "fork of pid 4 of process 5",
            "user 1.5 ms, system 0.002 ms");
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
        task.ToString().Should().Be("task_struct pid 2 (freed)");
    }

    [Fact]
    public void Holders_AreNamed()
    {
        using var core = TestKernel.Boot();
        var group = core.Cgroups.Create("g");
        core.Cgroups.Create(group, "h");
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Cgroups.Attach(group, task);
        static IEnumerable<string> Of(KernelObject obj) =>
            obj.IntrinsicHolders().Select(h => $"{h}"["kernel (".Length..^1]);
        Of(group).Should().Equal("online", "child cgroup", "css set of 1 task");
        core.Tasks.ForkThread(task);
        Of(group).Should().Equal("online", "child cgroup", "css set of 2 tasks");
        Of(task.Mm!).Should().Equal("address space of a task", "address space of a task");
        Of(task.Files!).Should().Equal("files of a task", "files of a task");
        var conn = core.Conntrack.Allocate(default);
        Of(conn).Should().BeEmpty();
        core.Conntrack.Insert(conn);
        Of(conn).Should().Equal("conntrack table");
        Of(new Sock(core, default)).Should().Equal("open socket");
        var file = new KernelFile(core, "/f");
        task.Files!.Open(file, 3);
        task.Mm!.SetExeFile(file);
        Of(file).Should().HaveCount(3).And.Contain(["descriptor table", "exe_file"]);
    }

    [Fact]
    public void Refusals_SayWhy()
    {
        using var core = TestKernel.Boot();
        var (tasks, groups, init) = (core.Tasks, core.Cgroups, core.Tasks.Init);
        var dead = tasks.Fork(init);
        tasks.Exit(dead);
        var alive = tasks.Fork(init);
        var group = groups.Create("g");
        void Refused<T>(Action act, string why)
            where T : Exception => act.Should().Throw<T>().WithMessage($"*{why}*");
        Refused<InvalidOperationException>(() => groups.Create("g"), "cannot make g in cgroup /");
        Refused<ArgumentException>(() => groups.Create(""), "");
        Refused<ArgumentException>(() => groups.Create("a/b"), "a/b is a path");
        Refused<InvalidOperationException>(() => tasks.Exit(init), "first task and idle tasks");
        Refused<InvalidOperationException>(() => tasks.ExitProcess(init), "first task");
        Refused<InvalidOperationException>(() => tasks.Exit(dead), "is Zombie");
        Refused<InvalidOperationException>(() => tasks.Exec(dead, "x"), "is Zombie");
        Refused<InvalidOperationException>(() => tasks.Rename(dead, "x"), "is Zombie");
        Refused<InvalidOperationException>(() => tasks.Fork(tasks.IdleOf(0)), "is an idle task");
        Refused<InvalidOperationException>(() => tasks.SwitchOut(alive), "is alive");
        Refused<ArgumentOutOfRangeException>(() => tasks.IdleOf(-1), "cpu");
        Refused<ArgumentOutOfRangeException>(() => tasks.IdleOf(core.CpuCount), "cpu");
        Refused<ArgumentOutOfRangeException>(() => tasks.SetLastPid(-1), "pid");
        Refused<ArgumentOutOfRangeException>(() => tasks.SetLastPid(TaskTable.PidMax + 1), "pid");
        Refused<ArgumentException>(() => tasks.Fork(init, new ForkOptions { Pids = [5, 6] }), "2 pids were named");
        Refused<ArgumentOutOfRangeException>(
            () => tasks.Fork(init, new ForkOptions { StartTimeNs = -1 }), "before boot");
        Refused<ArgumentOutOfRangeException>(() => alive.SetCpus([1, -1]), "CPUs are 0 to 8191");
        Refused<ArgumentOutOfRangeException>(() => alive.SetCpus([8192]), "CPUs are 0 to 8191");
        Refused<ArgumentException>(() => _ = new CryptoCtx(core, "rot13", new byte[16]), "unknown algorithm");
        Refused<ArgumentException>(() => _ = new CryptoCtx(core, "ecb(aes)", new byte[15]), "bad key size");
        Refused<ArgumentException>(() => alive.Mm!.Map(new(2, 2, 0)), "empty or overlaps");
        core.Sockets.Add(new(core, new(1, 2, 0, 0, 6)));
        Refused<InvalidOperationException>(() => core.Sockets.Add(new(core, new(1, 2, 0, 0, 6))), "is taken");
        tasks.ForkFault = _ => true;
        Refused<InvalidOperationException>(() => tasks.Fork(init), "the fork of task_struct pid 1 \"init\" fails");
        tasks.SetLastPid(TaskTable.PidMax);
        tasks.ForkFault = null;
        tasks.Fork(init, new ForkOptions { StartTimeNs = core.NowNs }).Pid.Should().Be(300);
        alive.SetCpus([8191, 0, 8191]);
        alive.Read<int>("nr_cpus_allowed").Should().Be(2);
        groups.Find("g/none").Should().BeNull();
        group.IsUnder(groups.Root).Should().BeTrue();
    }

    /// <summary>One that ends is not ended, nor does it execute a program, from what its end calls.</summary>
    [Fact]
    public void Exiting_CannotExitOrExecAgain()
    {
        using var core = TestKernel.Boot();
        var task = core.Tasks.Fork(core.Tasks.Init);
        List<string> said = [];
        core.Hooks = new AtExit(() =>
        {
            said.Add(Assert.Throws<InvalidOperationException>(() => core.Tasks.Exit(task)).Message);
            said.Add(Assert.Throws<InvalidOperationException>(() => core.Tasks.Exec(task, "x")).Message);
            task.Flags.Should().HaveFlag(TaskFlags.Exiting);
            task.Mm.Should().BeNull();
            core.Tasks.Current.Should().BeSameAs(task);
        });
        core.Tasks.Exit(task);
        said.Should().Equal("task_struct pid 2 \"init\" is exiting already",
            "task_struct pid 2 \"init\" is ended by another thread");
        core.Tasks.Current.Should().BeSameAs(core.Tasks.Init);
    }

    [Fact]
    public void IdleTasks_AreRootsOnOneCpu_AndInNoList()
    {
        using var core = TestKernel.Boot();
        var idle = core.Tasks.IdleOf(1);
        core.Tasks.IdleOf(1).Should().BeSameAs(idle);
        (idle.Comm, idle.Pid, idle.Parent, idle.Phase, idle.Cgroup).Should().Be(
            ("swapper/1", 0, null, TaskPhase.Alive, core.Cgroups.Root));
        idle.AssertFields(
        [
            (0, "tgid"), (idle.Address, "real_parent"), (core.Tasks.Init.Get("cred"), "cred"), (1, "nr_cpus_allowed"),
            ((ulong)TaskFlags.Kthread, "flags"), (core.Cgroups.Root.CssSet.Address, "cgroups"), (0, "mm"),
        ]);
        core.Tasks.ThreadsOf(idle).Should().Equal(idle);
        core.Tasks.All.Should().Equal(core.Tasks.Init);
        core.Ledger.AssertNoLeaks();
        var kthread = core.Tasks.ForkKthread("k");
        core.Tasks.Fork(kthread).Flags.Should().HaveFlag(TaskFlags.Kthread, "a thread of the kernel makes such");
        core.Tasks.Adopt(kthread, new(), isKthread: true).Flags.Should().HaveFlag(TaskFlags.Kthread);
        core.Tasks.Exec(kthread, "x");
        kthread.Mm.Should().BeNull();
    }

    /// <summary>The names of a cgroup's directory, and the children that programs walk.</summary>
    [Fact]
    public unsafe void Cgroups_AreNamedAndListed()
    {
        using var core = new KernelCore(
            BuiltinKernel.Spec(KernelProfile.Linux6_12), new() { Driver = DeferredDriver.Manual });
        var (a, b) = (core.Cgroups.Create("a"), core.Cgroups.Create("b"));
        string NameOf(Cgroup of) => new(
            (sbyte*)KernelMemory.Get(of.NodeAddress, core.LayoutOf("kernfs_node", []).Field("name")));
        new[] { core.Cgroups.Root, a, b }.Select(NameOf).Should().Equal("/", "a", "b");
        Listed().Should().Equal(a, b);
        core.Cgroups.Create("c");
        core.Cgroups.Remove(a).Should().Be(Errno.None);
        core.Quiesce();
        Listed().Select(c => c.Name).Should().Equal("b", "c");
        b.LinkAt("self.children").Should().Be(*(ulong*)b.LinkAt("self.children"), "it has none");

        List<Cgroup> Listed()
        {
            var (head, link) = (core.Cgroups.Root.LinkAt("self.children"), b.LinkAt("self.sibling") - b.Address);
            var found = new List<Cgroup>();
            for (var at = *(ulong*)head; at != head; at = *(ulong*)at)
            {
                found.Add((Cgroup)core.Heap.FindObject(at - link)!);
            }

            return found;
        }
    }

    [Fact]
    public void Sockets_BeginAsLinuxMakesThem()
    {
        using var core = TestKernel.Boot();
        var tcp = new Sock(core, new(0x0a000001, 80, 0x0a000002, 5, 6));
        tcp.AssertFields(
        [
            (80, "__sk_common.skc_num"), (tcp.Cookie, "__sk_common.skc_cookie.counter"), (6, "sk_protocol"),
            (0x0200000a, "__sk_common.skc_daddr"), (0x0100000a, "__sk_common.skc_rcv_saddr"),
            (10, "snd_cwnd"), (uint.MaxValue, "snd_cwnd_clamp"), (0x7fffffff, "snd_ssthresh"), (536, "mss_cache"),
            (65536, "sk_gso_max_size"), (ulong.MaxValue, "sk_pacing_rate"), (ulong.MaxValue, "sk_max_pacing_rate"),
            (10, "sk_pacing_shift"),
        ]);
        tcp.CongestionControl.Should().Be("cubic");
        new Sock(core, new(1, 2, 3, 4, 17)).AssertFields([(0, "snd_cwnd"), (17, "sk_protocol"), (2, "sk_type")]);
        tcp.Close();
        tcp.Close();
        core.TakeFaults().Should().ContainSingle("it is closed once");
        var file = new KernelFile(core, "/f");
        file.Close();
        file.Close();
        core.TakeFaults().Should().ContainSingle();
    }

    private sealed class AtExit(Action act) : IHookSink
    {
        public void Fire(string tracepoint, ReadOnlySpan<ulong> args)
        {
            if (tracepoint == "sched_process_exit")
            {
                act();
            }
        }
    }
}
