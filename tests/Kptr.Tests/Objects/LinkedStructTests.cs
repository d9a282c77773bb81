using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>What programs read of structs that hang on objects: pids, namespaces, signals, sets, mappings.</summary>
public class LinkedStructTests
{
    [Fact]
    public void Pids_NameEachNamespaceFromTheFirstDown()
    {
        using var core = TestKernel.Boot();
        var outer = core.Tasks.Fork(core.Tasks.Init, null, CloneFlags.NewPid);
        var inner = core.Tasks.Fork(outer, null, CloneFlags.NewPid);
        var first = core.Tasks.InitNamespace;
        core.AssertFields("pid", inner.ThreadPid.Address,
        [
            (1, "count.refs.counter"), (2, "level"),
            ((ulong)inner.Pid, "numbers[0].nr"), (first.Address, "numbers[0].ns"),
            (2, "numbers[1].nr"), (outer.PidNamespace.Address, "numbers[1].ns"),
            (1, "numbers[2].nr"), (inner.PidNamespace.Address, "numbers[2].ns"), (0, "numbers[3].nr"),
        ]);
        core.AssertFields("nsproxy", inner.Get("nsproxy"),
            [(1, "count.refs.counter"), (inner.PidNamespace.Address, "pid_ns_for_children")]);
        core.AssertFields("pid_namespace", inner.PidNamespace.Address,
        [
            (2, "level"), (outer.PidNamespace.Address, "parent"), (inner.Address, "child_reaper"),
            (0xefff_fffa, "ns.inum"),
        ]);
        core.AssertFields("pid_namespace", first.Address,
            [(0, "level"), (0, "parent"), (core.Tasks.Init.Address, "child_reaper"), (0xefff_fffc, "ns.inum")]);
        inner.PidNamespace.ToString().Should().Be("pid namespace of level 2 (1 tasks)");

        // Who executes a program takes the reaper's place, and with the last one nobody inherits.
        var thread = core.Tasks.ForkThread(inner);
        core.Tasks.Exec(thread, "x");
        core.AssertFields("pid_namespace", inner.PidNamespace.Address, [(thread.Address, "child_reaper")]);
        core.Tasks.Exit(thread);
        core.Tasks.Reap(thread).Should().BeTrue();
        core.AssertFields("pid_namespace", thread.PidNamespace.Address, [(0, "child_reaper")]);
        var deepest = core.Tasks.Fork(core.Tasks.Fork(outer, null, CloneFlags.NewPid), null, CloneFlags.NewPid);
        core.Invoking(c => c.Tasks.Fork(deepest, null, CloneFlags.NewPid)).Should()
            .Throw<InvalidOperationException>().WithMessage("*too deep*");
        core.Invoking(c => c.Tasks.Fork(outer, null, CloneFlags.NewPid | CloneFlags.Thread)).Should()
            .Throw<InvalidOperationException>().WithMessage("*its process's namespace*");
    }

    [Fact]
    public void SignalStruct_CountsThreads_ThoseThatLive_AndWhatTheyUsed()
    {
        using var core = TestKernel.Boot();
        var leader = core.Tasks.Fork(core.Tasks.Init);
        var signal = leader.Get("signal");
        var threads = Enumerable.Range(0, 2).Select(_ => core.Tasks.ForkThread(leader)).ToList();
        core.AssertFields("signal_struct", signal,
            [(3, "sigcnt.refs.counter"), (3, "live.counter"), (3, "nr_threads"), (0, "utime")]);
        var pin = threads[0].TryAcquire()!.Value;
        threads[0].AddCpuTime(30, 4);
        core.Tasks.Exit(threads[0]);
        core.AssertFields("signal_struct", signal,
        [
            (3, "sigcnt.refs.counter"), (2, "live.counter"), (2, "nr_threads"), (30, "utime"), (4, "stime"),
            (34, "sum_sched_runtime"),
        ]);
        pin.Release();
        core.Quiesce();
        core.AssertFields("signal_struct", signal, [(2, "sigcnt.refs.counter")]);
        core.Tasks.Exit(leader);
        core.AssertFields("signal_struct", signal, [(1, "live.counter"), (2, "nr_threads")]);
        var child = core.Tasks.Fork(threads[1]);
        child.AddCpuTime(5, 6);
        core.Tasks.ExitProcess(child);
        core.Tasks.Reap(child);
        core.AssertFields("signal_struct", signal, [(5, "cutime"), (6, "cstime"), (30, "utime")]);
    }

    [Fact]
    public void CssSets_BelongToOneCgroup_AndCountTheirTasks()
    {
        using var core = TestKernel.Boot();
        var group = core.Cgroups.Create("g");
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.Cgroups.Attach(group, task);
        core.Tasks.ForkThread(task);
        core.AssertFields("css_set", task.Get("cgroups"),
            [(group.Address, "dfl_cgrp"), (2, "refcount.refs.counter")]);
        core.AssertFields("kernfs_node", group.NodeAddress,
            [(group.Id, "id"), (1, "count.counter"), (core.Cgroups.Root.NodeAddress, "parent")]);
        core.AssertFields("kernfs_node", core.Cgroups.Root.NodeAddress, [(1, "id"), (0, "parent")]);
    }

    [Fact]
    public void Credentials_AreRootsUntilATaskGetsItsOwn()
    {
        using var core = TestKernel.Boot();
        string[] users = ["uid", "euid", "suid", "fsuid"], groups = ["gid", "egid", "sgid", "fsgid"];
        var task = core.Tasks.Fork(core.Tasks.Init);
        core.AssertFields("cred", task.Get("cred"), [(1, "usage.counter"), (0, "uid.val"), (0, "fsgid.val")]);
        task.SetUser(7, 8);
        core.AssertFields("cred", task.Get("cred"),
        [
            (1, "usage.counter"), .. users.Select(u => (7ul, $"{u}.val")), .. groups.Select(g => (8ul, $"{g}.val")),
        ]);
        task.AssertFields([(task.Get("cred"), "real_cred")]);
        core.Tasks.Fork(task).AssertFields([(task.Get("cred"), "cred")]);
    }

    [Fact]
    public void Mappings_SayWhereAndOfWhatTheyAre()
    {
        using var core = TestKernel.Boot();
        var mm = core.Tasks.Fork(core.Tasks.Init).Mm!;
        var file = new KernelFile(core, "/f");
        mm.Map(new(0x1000, 0x3000, 5, file, 9));
        core.AssertFields("vm_area_struct", mm.VmaAt(0x2fff),
        [
            (0x1000, "vm_start"), (0x3000, "vm_end"), (5, "vm_flags"), (mm.Address, "vm_mm"),
            (file.Address, "vm_file"), (9, "vm_pgoff"),
        ]);
        mm.AssertFields([(1, "map_count"), (2, "total_vm"), (1, "mm_count.counter")]);
        mm.ToString().Should().Be($"mm_struct@{mm.Address:x} (1 mappings)");
        file.Close();
    }

    [Fact]
    public void FilesOfSockets_LeadToThem()
    {
        using var core = TestKernel.Boot();
        foreach (var (port, state) in new[] { ((ushort)0, 1ul), ((ushort)5, 3ul) })
        {
            var sock = new Sock(core, new(1, 80, 2, port, 6));
            var file = new KernelFile(core, sock);
            file.ToString().Should().Be($"file \"socket:[{sock.Cookie}]\"");
            file.AssertFields([(file.SocketAddress, "private_data")]);
            core.AssertFields("socket", file.SocketAddress,
                [(state, "state"), (1, "type"), (file.Address, "file"), (sock.Address, "sk")]);
            file.Close();
            core.Quiesce();
            core.Invoking(c => new KernelFile(c, sock)).Should().Throw<ObjectDisposedException>();
        }

        new KernelFile(core, "/f").AssertFields([(0, "private_data")]);
        using var other = TestKernel.Boot();
        core.Invoking(c => new KernelFile(c, new Sock(other, default))).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void KeysAndCiphers_SayWhatTheyAre()
    {
        using var core = TestKernel.Boot();
        foreach (var isSystemKey in new[] { false, true })
        {
            var key = new BpfKey(core, 77, isSystemKey);
            key.AssertFields([(isSystemKey ? 0ul : 1, "has_ref")]);
            core.AssertFields("key", key.Get("key"), [(77, "serial"), (1, "usage.refs.counter")]);
            key.ToString().Should().Be("bpf_key 77");
            KernelRef.Own(key).Release();
            key.IsFreed.Should().BeTrue("nobody reads it under RCU");
        }

        var cipher = new CryptoCtx(core, "cbc(aes)", new byte[32]);
        (cipher.IvBytes, cipher.Get("siv_len"), cipher.ToString()).Should().Be((16, 16ul, "bpf_crypto_ctx cbc(aes)"));
        byte[] text = [.. Enumerable.Range(0, 32).Select(i => (byte)i)], iv = new byte[16];
        byte[] secret = new byte[32], back = new byte[40];
        cipher.TryEncrypt(text, secret, []).Should().BeFalse("it needs a vector");
        cipher.TryEncrypt(text, secret.AsSpan(1), iv).Should().BeFalse("it does not fit");
        cipher.TryEncrypt([], secret, iv).Should().BeFalse();
        cipher.TryEncrypt(text, secret, iv).Should().BeTrue();
        secret.Should().NotEqual(text);
        cipher.TryDecrypt(secret, back, iv).Should().BeTrue("there may be more room");
        back[..32].Should().Equal(text);
        KernelRef.Own(cipher).Release();
    }

    /// <summary>The end of a process sends its parent SIGCHLD, that of another thread nothing.</summary>
    [Fact]
    public void ExitSignal_IsTheProcesss()
    {
        using var core = TestKernel.Boot();
        var leader = core.Tasks.Fork(core.Tasks.Init);
        var thread = core.Tasks.ForkThread(leader);
        var pin = leader.TryAcquire()!.Value;
        string Signals(params TaskStruct[] tasks) => string.Join(' ', tasks.Select(t => t.Read<int>("exit_signal")));
        Signals(core.Tasks.Init, core.Tasks.IdleOf(0), core.Tasks.ForkKthread("k"), leader, thread)
            .Should().Be("0 0 17 17 -1");
        core.Tasks.Exec(thread, "x");
        Signals(leader, thread).Should().Be("-1 17", "who executes a program leads from then on");
        core.Tasks.Exec(core.Tasks.Init, "systemd");
        Signals(core.Tasks.Init).Should().Be("17");
        pin.Release();
    }

    /// <summary>What hung on an object goes with it.</summary>
    [Fact]
    public void EndOfObjects_LeavesNoneOfTheirStructs()
    {
        string[] types =
            ["pid", "signal_struct", "css_set", "kernfs_node", "vm_area_struct", "kernel_siginfo", "key", "socket"];
        using var core = TestKernel.Boot();
        Live();
        long[] Count() => [.. types.Select(t => core.LayoutOf(t, []).Slab.LiveCount)];
        var before = Count();
        Live();
        Count().Should().Equal(before);

        void Live()
        {
            var group = core.Cgroups.Create("g");
            var task = core.Tasks.Fork(core.Tasks.Init);
            core.Cgroups.Attach(group, task);
            var thread = core.Tasks.ForkThread(task);
            task.Mm!.Map(new(0x1000, 0x2000, 0));
            task.Mm.Map(new(0x3000, 0x4000, 0));
            task.Mm.Unmap(0x1000).Should().BeTrue();
            core.Tasks.ForkFault = _ => true;
            core.Invoking(c => c.Tasks.Fork(task)).Should().Throw<InvalidOperationException>();
            core.Tasks.ForkFault = _ => throw new FormatException();
            core.Invoking(c => c.Tasks.Fork(task)).Should().Throw<FormatException>();
            core.Tasks.ForkFault = null;
            core.Tasks.Exec(thread, "x");
            core.Tasks.Kill(core.Tasks.Init, thread, 9).Should().Be(Errno.None);
            core.Tasks.Reap(thread).Should().BeTrue();
            core.Cgroups.Remove(group).Should().Be(Errno.None);
            var file = new KernelFile(core, new Sock(core, default));
            file.Close();
            KernelRef.Own(new BpfKey(core, 1, false)).Release();
            core.Quiesce();
            core.Tasks.All.Should().Equal(core.Tasks.Init);
            core.Ledger.AssertAllReturned();
        }
    }

    /// <summary>Files and address spaces that nobody uses any more take nothing, and the fault is named.</summary>
    [Fact]
    public void SpentTables_TakeNothing()
    {
        using var core = TestKernel.Boot();
        var file = new KernelFile(core, "/f");
        var task = core.Tasks.Fork(core.Tasks.Init);
        var (mm, files) = (task.Mm!, task.Files!);
        core.Tasks.Exit(task);
        Action[] uses =
        [
            () => mm.Map(new(0x1000, 0x2000, 0, file)), () => mm.SetExeFile(file),
            () => files.Open(file).Should().Be(-1),
        ];
        foreach (var use in uses)
        {
            use();
            core.TakeFaults().Should().ContainSingle().Which.Message.Should().Contain("used");
            file.Count.Value.Should().Be(1);
        }

        (mm.Areas, mm.ExeFile, files.All).Should().Be((mm.Areas, null, files.All));
        mm.Areas.Should().BeEmpty();
        files.All.Should().BeEmpty();
        core.Quiesce();
        (mm.ToString(), files.ToString()).Should().Be((
            $"mm_struct@{mm.Address:x} (0 mappings, freed)", $"files_struct of process {task.Pid} (0 open, freed)"));
        file.Close();
        var other = core.Tasks.Fork(core.Tasks.Init);
        core.Quiesce();
        other.Invoking(t => t.Mm!.Map(new(0x1000, 0x2000, 0, file))).Should().Throw<ArgumentException>()
            .WithMessage("*gone*");
        other.Invoking(t => t.Mm!.SetExeFile(file)).Should().Throw<ArgumentException>().WithMessage("*gone*");
        other.Invoking(t => t.Files!.Open(file)).Should().Throw<ArgumentException>().WithMessage("*gone*");
    }

    [Fact]
    public void Descriptors_AreTheLowestThatAreFree()
    {
        using var core = TestKernel.Boot();
        var file = new KernelFile(core, "/f");
        var files = core.Tasks.Fork(core.Tasks.Init).Files!;
        Enumerable.Range(0, 9).Select(_ => files.Open(file)).Should().Equal(Enumerable.Range(0, 9));
        files.AssertFields([(9, "next_fd")]);
        files.Open(file, FilesStruct.FdMax - 1).Should().Be(FilesStruct.FdMax - 1);
        files.Invoking(f => f.Open(file, FilesStruct.FdMax)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage($"*0 to {FilesStruct.FdMax - 1}*");
        file.Count.Value.Should().Be(11, "what was refused holds nothing");
        files.Close(7).Should().BeTrue();
        files.AssertFields([(7, "next_fd")]);
        files.Open(file).Should().Be(7);
    }
}
