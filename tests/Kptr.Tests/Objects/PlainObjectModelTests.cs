using System.Net;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>
/// Address spaces, open files, connections and CPU masks at random, against the plainest collections.
/// </summary>
public class PlainObjectModelTests
{
    private const int Steps = 300;

    /// <summary>Each mapping, and the program's file, holds its file; a forked copy has all of them again.</summary>
    [Fact]
    public void AddressSpaces()
    {
        using var core = TestKernel.Boot();
        var random = new Random(1);
        var files = Enumerable.Range(0, 3).Select(i => new KernelFile(core, $"/f{i}")).ToList();
        var spaces = new List<(TaskStruct Task, SortedDictionary<ulong, VmArea> Areas, KernelFile?[] Exe)>
        {
            (core.Tasks.Fork(core.Tasks.Init), [], new KernelFile?[1]),
        };
        for (var step = 0; step < Steps; step++)
        {
            var (task, plain, exe) = spaces[random.Next(spaces.Count)];
            var mm = task.Mm!;
            switch (random.Next(8))
            {
                case <= 3:
                    var start = (ulong)random.Next(1, 30) << 12;
                    var area = new VmArea(start, start + ((ulong)random.Next(0, 4) << 12), (ulong)random.Next(8),
                        random.Next(3) == 0 ? null : files[random.Next(3)], (ulong)random.Next(9));
                    var isFree = area.End > area.Start
                        && plain.Values.All(a => a.End <= area.Start || area.End <= a.Start);
                    var thrown = Record.Exception(() => mm.Map(area));
                    Assert.Equal(isFree ? null : typeof(ArgumentException), thrown?.GetType());
                    if (isFree)
                    {
                        plain.Add(start, area);
                    }

                    break;
                case <= 5:
                    var at = (ulong)random.Next(1, 30) << 12;
                    Assert.Equal(plain.Remove(at), mm.Unmap(at));
                    break;
                case 6:
                    exe[0] = random.Next(3) == 0 ? null : files[random.Next(3)];
                    mm.SetExeFile(exe[0]);
                    break;
                default:
                    if (spaces.Count > 4)
                    {
                        core.Tasks.Exit(task);
                        spaces.RemoveAll(s => s.Task == task);
                    }

                    var maker = spaces[^1];
                    spaces.Add((core.Tasks.Fork(maker.Task), new(maker.Areas), [maker.Exe[0]]));
                    break;
            }

            core.Quiesce();
            foreach (var (each, areas, file) in spaces)
            {
                Assert.Equal(areas.Values, each.Mm!.Areas);
                Assert.Equal((file[0], file[0]?.Address ?? 0), (each.Mm.ExeFile, each.Mm.Read<ulong>("exe_file")));
                Assert.Equal(areas.Values.Sum(a => (long)(a.End - a.Start) >> 12), each.Mm.Read<long>("total_vm"));
                Assert.Equal(areas.Count, each.Mm.Read<int>("map_count"));
                var look = (ulong)random.Next(1, 34 << 12);
                Assert.Equal(areas.Values.Count(a => a.End > look), each.Mm.VmasFrom(look).Count);
                Assert.Equal(areas.Values.Any(a => a.Start <= look && look < a.End), each.Mm.VmaAt(look) != 0);
            }

            var held = spaces.SelectMany(s => s.Areas.Values.Select(a => a.File).Append(s.Exe[0])).ToList();
            Assert.Equal(files.Select(f => 1 + held.Count(h => h == f)), files.Select(f => f.Count.Value));
            files.ForEach(f => Assert.Equal(f.Count.Value, f.IntrinsicHolders().Count()));
        }

        spaces.ForEach(s => core.Tasks.Exit(s.Task));
        files.ForEach(f => f.Close());
        core.Quiesce();
        files.Should().OnlyContain(f => f.IsFreed);
        core.Ledger.AssertAllReturned();
    }

    /// <summary>The lowest free number is the next; each descriptor holds its file; a copy has them again.</summary>
    [Fact]
    public void OpenFiles()
    {
        using var core = TestKernel.Boot();
        var random = new Random(2);
        var files = Enumerable.Range(0, 3).Select(i => new KernelFile(core, $"/f{i}")).ToList();
        var tables = new List<(TaskStruct Task, SortedDictionary<int, KernelFile> Open)>
        {
            (core.Tasks.Fork(core.Tasks.Init), []),
        };
        for (var step = 0; step < Steps; step++)
        {
            var (task, plain) = tables[random.Next(tables.Count)];
            var table = task.Files!;
            switch (random.Next(7))
            {
                case <= 1:
                    var file = files[random.Next(3)];
                    var next = Enumerable.Range(0, 100).First(i => !plain.ContainsKey(i));
                    Assert.Equal(next, table.Open(file));
                    plain[next] = file;
                    break;
                case 2:
                    var (chosen, other) = (random.Next(12), files[random.Next(3)]);
                    Assert.Equal(chosen, table.Open(other, chosen));
                    plain[chosen] = other;
                    break;
                case <= 5:
                    var closed = random.Next(12);
                    Assert.Equal(plain.Remove(closed), table.Close(closed));
                    break;
                default:
                    if (tables.Count > 4)
                    {
                        core.Tasks.Exit(task);
                        tables.RemoveAll(t => t.Task == task);
                    }

                    // Who shares a table gets one of its own by executing a program.
                    var (maker, flags) = (tables[^1], random.Next(2) == 0 ? CloneFlags.None : CloneFlags.Files);
                    var child = core.Tasks.Fork(maker.Task, null, flags);
                    Assert.Equal(flags == CloneFlags.Files, child.Files == maker.Task.Files);
                    core.Tasks.Exec(child, "x");
                    Assert.NotSame(maker.Task.Files, child.Files);
                    tables.Add((child, new(maker.Open)));
                    break;
            }

            foreach (var (each, open) in tables)
            {
                Assert.Equal(open.Select(o => new FileDescriptor(o.Key, o.Value)), each.Files!.All);
                Assert.Equal(open.GetValueOrDefault(step % 12), each.Files.Find(step % 12));
                var lowest = Enumerable.Range(0, 100).First(i => !open.ContainsKey(i));
                Assert.InRange(each.Files.Read<int>("next_fd"), 0, lowest);
            }

            Assert.Equal(files.Select(f => 1 + tables.Sum(t => t.Open.Values.Count(o => o == f))),
                files.Select(f => f.Count.Value));
        }

        var last = tables[0].Task.Files!;
        last.Invoking(t => t.Open(files[0], -1)).Should().Throw<ArgumentOutOfRangeException>();
        last.Invoking(t => t.Open(files[0], FilesStruct.FdMax)).Should().Throw<ArgumentOutOfRangeException>();
        tables.ForEach(t => core.Tasks.Exit(t.Task));
        files.ForEach(f => f.Close());
        core.Quiesce();
        files.Should().OnlyContain(f => f.IsFreed);
        core.Ledger.AssertAllReturned();
    }

    /// <summary>A flow is found in both directions, and the table holds each connection once.</summary>
    [Fact]
    public void Connections()
    {
        using var core = TestKernel.Boot();
        var random = new Random(3);
        var plain = new List<NfConn>();
        var made = new List<NfConn>();
        for (var step = 0; step < Steps; step++)
        {
            var tuple = new FlowTuple((UInt128)random.Next(2), (ushort)random.Next(2), (UInt128)random.Next(2), 7, 6);
            tuple = random.Next(2) == 0 ? tuple : tuple.Reversed;
            switch (random.Next(3))
            {
                case 0:
                    var conn = core.Conntrack.Allocate(tuple);
                    made.Add(conn);
                    var isNew = plain.TrueForAll(c => c.Tuple != tuple && c.ReplyTuple != tuple);
                    Assert.Equal(isNew ? Errno.None : Errno.EEXIST, core.Conntrack.Insert(conn));
                    Assert.Equal((isNew, isNew ? 2 : 1), (conn.IsConfirmed, conn.Count.Value));
                    plain.AddRange(isNew ? [conn] : []);
                    break;
                case 1 when made.Count > 0:
                    var gone = made[random.Next(made.Count)];
                    Assert.Equal(plain.Remove(gone), core.Conntrack.Remove(gone));
                    Assert.Equal((false, 1), (gone.IsConfirmed, gone.Count.Value));
                    break;
                default:
                    var found = plain.Find(c => c.Tuple == tuple || c.ReplyTuple == tuple);
                    Assert.Equal(found, core.Conntrack.Find(tuple));
                    break;
            }

            Assert.Equal(plain.OrderBy(c => c.Address), core.Conntrack.All.OrderBy(c => c.Address));
        }

        plain.Should().NotBeEmpty();
        plain.ForEach(c => core.Conntrack.Remove(c).Should().BeTrue());
        made.ForEach(c => KernelRef.Own(c).Release());
        core.Quiesce();
        made.Should().OnlyContain(c => c.IsFreed);
        core.Ledger.AssertAllReturned();
    }

    [Fact]
    public void ConnectionsOfTime_LiveTheirTimeout_AndAreTranslated()
    {
        using var core = TestKernel.Boot();
        var conn = core.Conntrack.Allocate(new(1, 10, 2, 20, 6));
        conn.TimeoutMs = 8001;
        conn.TimeoutMs.Should().Be(8000, "it counts in steps of 4 ms");
        conn.Translate(3, 30, isSource: true);
        conn.ReplyTuple.Should().Be(new FlowTuple(2, 20, 3, 30, 6));
        conn.Translate(4, null, isSource: false);
        conn.ReplyTuple.Should().Be(new FlowTuple(4, 20, 3, 30, 6));
        conn.Translate(5, 50, isSource: false);
        conn.Translate(6, null, isSource: true);
        conn.ReplyTuple.Should().Be(new FlowTuple(5, 50, 6, 30, 6));
        core.Conntrack.Insert(conn).Should().Be(Errno.None);
        conn.Status.Should().Be(1 << 3);
        core.Conntrack.Find(new(5, 50, 6, 30, 6)).Should().BeSameAs(conn);
        ((VirtualClock)core.Clock).Advance(TimeSpan.FromSeconds(3));
        conn.TimeoutMs.Should().Be(5000);
        conn.TimeoutMs = 2000;
        conn.TimeoutMs.Should().Be(2000);
        ((VirtualClock)core.Clock).Advance(TimeSpan.FromSeconds(3));
        conn.TimeoutMs.Should().Be(0);
        core.Conntrack.Remove(conn).Should().BeTrue();
        conn.Status.Should().Be((1 << 3) | (1 << 9));
        core.Conntrack.Find(new(5, 50, 6, 30, 6)).Should().BeNull();
        KernelRef.Own(conn).Release();
        core.Invoking(c => c.Conntrack.Insert(conn)).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void CpuMasks()
    {
        using var core = new KernelCore(TestKernel.Spec, new() { CpuCount = 100, Driver = DeferredDriver.Manual });
        var mask = new Cpumask(core);
        var plain = new SortedSet<int>();
        var random = new Random(4);
        for (var step = 0; step < Steps; step++)
        {
            var cpu = random.Next(-1, 102);
            var isCpu = cpu is >= 0 and < 100;
            Assert.Equal(plain.Contains(cpu), mask.Contains(cpu));
            if (random.Next(2) == 0)
            {
                Assert.Equal(isCpu && !plain.Add(cpu), mask.Add(cpu));
            }
            else
            {
                Assert.Equal(plain.Remove(cpu), mask.Remove(cpu));
            }

            Assert.Equal(plain, mask.Cpus);
        }

        mask.ToString().Should().Be($"bpf_cpumask {{{string.Join(",", plain)}}}");
        mask.Contains(mask.BitCount).Should().BeFalse();
        KernelRef.Own(mask).Release();
    }

    /// <summary>What programs read of tasks and cgroups, from birth to death.</summary>
    [Fact]
    public void TasksAndCgroups_SayWhatTheyAre()
    {
        using var core = TestKernel.Boot();
        var group = core.Cgroups.Create("a");
        var under = core.Cgroups.Create(group, "b");
        var leader = core.Tasks.Fork(core.Tasks.Init, "leader");
        core.Cgroups.Attach(under, leader);
        var thread = core.Tasks.ForkThread(leader);
        var child = core.Tasks.Fork(thread, "a name of more than 15 bytes");
        foreach (var task in new[] { leader, thread, child })
        {
            (ulong Value, string Path)[] all =
            [
                ((ulong)task.Pid, "pid"), ((ulong)task.Leader.Pid, "tgid"), (task.Leader.Address, "group_leader"),
                (task.Parent!.Address, "real_parent"), (task.Parent.Address, "parent"), (120, "prio"),
                (120, "static_prio"), (120, "normal_prio"), (task.Mm!.Address, "mm"), (task.Files!.Address, "files"),
                (task.CssSet!.Address, "cgroups"), (task.Group.SignalAddress, "signal"),
                (task.ThreadPid.Address, "thread_pid"), (task.PidNamespace.NsproxyAddress, "nsproxy"),
                (core.Tasks.Init.Get("cred"), "cred"), (core.Tasks.Init.Get("cred"), "real_cred"), (0x40, "flags"),
                (0, "exit_state"), (0, "exit_code"), (2, "nr_cpus_allowed"),
            ];
            task.AssertFields(all);
        }

        (leader.Comm, thread.Comm, child.Comm).Should().Be(("leader", "leader", "a name of more "));
        child.AddCpuTime(70, 8);
        under.AssertFields([(70, "bstat.cputime.utime"), (8, "bstat.cputime.stime")]);
        group.AssertFields([(78, "bstat.cputime.sum_exec_runtime"), (1, "level"), (group.NodeAddress, "kn")]);
        core.Cgroups.Root.AssertFields([(0, "bstat.cputime.utime"), (0, "level"), (0, "self.parent")]);
        under.AssertFields(
        [
            (2, "level"), (2 | 8, "self.flags"), (under.Address, "self.cgroup"), (group.Address, "self.parent"),
            (under.Id, "self.id"), (under.Id, "self.serial_nr"), (1, "self.online_cnt.counter"),
            (under.Address, "dom_cgrp"), (core.Cgroups.Root.Address, "ancestors[0]"),
        ]);
        core.Tasks.Exit(child, 9);
        child.AssertFields([(9, "exit_code"), (0x20, "exit_state"), (0x80, "__state"), (0, "mm"), (0, "files")]);
        core.Tasks.Rename(leader, "other");
        leader.Comm.Should().Be("other");
        core.Tasks.ExitProcess(leader, 3);
        var held = leader.TryAcquire()!.Value;
        var last = under.TryAcquire()!.Value;
        core.Tasks.Reap(leader).Should().BeTrue();
        leader.AssertFields([(3, "exit_code"), (0x10, "exit_state")]);
        core.Cgroups.Remove(under).Should().Be(Errno.None);
        under.AssertFields([(8 | 16, "self.flags"), (0, "self.online_cnt.counter")]);
        core.Tasks.Reap(child).Should().BeTrue();
        held.Release();
        core.Quiesce();
        last.Release();
        core.Work.Step();
        under.AssertFields([(4 | 8 | 16, "self.flags")]);
        core.Quiesce();
        core.Ledger.AssertAllReturned();
    }

    /// <summary>The tuple as packets and programs see it, of both families.</summary>
    [Fact]
    public void Sockets_SayWhatTheyAre()
    {
        using var core = TestKernel.Boot();
        var v6 = FlowTuple.Between(new(IPAddress.Parse("fe80::1"), 9), new(IPAddress.Parse("::2"), 0x1234), 17);
        v6.ToString().Should().Be("udp [fe80::1]:9 - [::2]:4660");
        (v6.Reversed.ToString(), v6.Reversed.Reversed).Should().Be(("udp [::2]:4660 - [fe80::1]:9", v6));
        var v4 = FlowTuple.Between(new(IPAddress.Parse("10.1.2.3"), 80), new(IPAddress.Any, 0), 6);
        v4.ToString().Should().Be("tcp 10.1.2.3:80 - 0.0.0.0:0");
        (v4 with { Protocol = 1 }).ToString().Should().StartWith("1 10.");
        core.Invoking(_ => FlowTuple.Between(new(IPAddress.Any, 1), new(IPAddress.IPv6Any, 1), 6))
            .Should().Throw<ArgumentException>();
        var (udp, listener) = (new Sock(core, v6), new Sock(core, v4));
        var connected = new Sock(core, v4 with { DestAddress = 1, DestPort = 5 });
        (udp.IsTcp, udp.IsListener, udp.IsRefcounted, udp.TypeNumber).Should().Be((false, false, false, 2ul));
        (listener.IsTcp, listener.IsListener, listener.IsRefcounted).Should().Be((true, true, false));
        listener.TypeNumber.Should().Be(1);
        (connected.IsListener, connected.IsRefcounted, connected.Cookie).Should().Be((false, true, udp.Cookie + 2));
        udp.Read<byte>("__sk_common.skc_state").Should().Be(1);
        new Sock(core, v6 with { DestPort = 0 }).Read<byte>("__sk_common.skc_state").Should().Be(7, "it is bound");
        udp.Read<ushort>("__sk_common.skc_family").Should().Be(10);
        listener.Read<ushort>("__sk_common.skc_family").Should().Be(2);
        udp.Read<ushort>("__sk_common.skc_dport").Should().Be(0x3412, "as it stands in a packet");
        listener.Read<uint>("__sk_common.skc_rcv_saddr").Should().Be(0x0302010a);
        var view = udp.View.ToArray();
        uint At(int offset) => BitConverter.ToUInt32(view, offset);
        (At(4), At(8), At(12), At(44), At(72), At(76)).Should().Be((10u, 2u, 17u, 9u, 1u, uint.MaxValue));
        view[28..44].Should().Equal(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
        view[48..50].Should().Equal(0x12, 0x34);
        view[56..72].Should().Equal(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
        connected.View.ToArray()[24..28].Should().Equal(10, 1, 2, 3);
        connected.View.ToArray()[52..56].Should().Equal(0, 0, 0, 1);
        udp.SetOption(1, 36, 77);
        udp.SetOption(1, 12, 6);
        udp.SetOption(6, 36, 5);
        view = udp.View.ToArray();
        (At(16), At(20), udp.Read<uint>("sk_mark"), udp.Read<uint>("sk_priority")).Should().Be((77u, 6u, 77u, 6u));
        (udp.OptionOr(6, 36, 0), udp.OptionOr(1, 36, 0), udp.OptionOr(1, 37, 3)).Should().Be((5, 77, 3));
        core.Sockets.Add(listener);
        core.Sockets.Add(connected);
        core.Sockets.All.Should().Equal(listener, connected);
        core.Invoking(c => c.Sockets.Add(new(c, v4))).Should().Throw<InvalidOperationException>();
        core.Sockets.Find(connected.Tuple).Should().BeSameAs(connected);
        core.Sockets.Find(connected.Tuple with { DestPort = 6 }).Should().BeSameAs(listener, "it takes all others");
        core.Sockets.Find(v4 with { SourcePort = 81 }).Should().BeNull();
        connected.IntrinsicHolders().Should().ContainSingle();
        connected.Close();
        core.Sockets.All.Should().Equal(listener);
        core.Invoking(c => c.Sockets.Add(connected)).Should().Throw<ObjectDisposedException>();
    }
}

/// <summary>Fields of kernel objects, by their paths.</summary>
internal static class FieldAssertions
{
    internal static void AssertFields(this KernelObject of, (ulong Value, string Path)[] fields) =>
        fields.Select(f => (of.Get(f.Path), f.Path)).Should().Equal(fields);

    /// <summary>The same of a struct at an address, of which there is one already.</summary>
    internal static void AssertFields(
        this KernelCore core, string type, ulong address, (ulong Value, string Path)[] fields) =>
        fields.Select(f => (KernelMemory.Get(address, core.LayoutOf(type, []).Field(f.Path)), f.Path))
            .Should().Equal(fields);
}
