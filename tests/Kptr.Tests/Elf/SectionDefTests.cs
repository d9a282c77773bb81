using Kptr.Specs;

namespace Kptr.Tests.Elf;

/// <summary>The <c>SEC()</c> names of every program type.</summary>
public class SectionDefTests
{
    [Theory]
    [InlineData("socket", ProgType.SocketFilter, null, null)]
    [InlineData("kprobe/do_exit", ProgType.Kprobe, null, "do_exit")]
    [InlineData("uprobe.s//proc/self/exe:main", ProgType.Kprobe, null, "/proc/self/exe:main")]
    [InlineData("kprobe.multi/tcp_*", ProgType.Kprobe, AttachType.TraceKprobeMulti, "tcp_*")]
    [InlineData("tc", ProgType.SchedCls, null, null)]
    [InlineData("tcx/egress", ProgType.SchedCls, AttachType.TcxEgress, null)]
    [InlineData("action", ProgType.SchedAct, null, null)]
    [InlineData("tp/sched/sched_switch", ProgType.Tracepoint, null, "sched/sched_switch")]
    [InlineData("raw_tp/sys_enter", ProgType.RawTracepoint, null, "sys_enter")]
    [InlineData("raw_tp.w/x", ProgType.RawTracepointWritable, null, "x")]
    [InlineData("tp_btf/task_newtask", ProgType.Tracing, AttachType.TraceRawTp, "task_newtask")]
    [InlineData("fentry.s/bpf_testmod:f", ProgType.Tracing, AttachType.TraceFentry, "bpf_testmod:f")]
    [InlineData("fmod_ret/f", ProgType.Tracing, AttachType.ModifyReturn, "f")]
    [InlineData("iter/task", ProgType.Tracing, AttachType.TraceIter, "task")]
    [InlineData("freplace/f", ProgType.Ext, null, "f")]
    [InlineData("lsm_cgroup/socket_bind", ProgType.Lsm, AttachType.LsmCgroup, "socket_bind")]
    [InlineData("syscall", ProgType.Syscall, null, null)]
    [InlineData("xdp.frags/devmap", ProgType.Xdp, AttachType.XdpDevmap, null)]
    [InlineData("cgroup_skb/ingress", ProgType.CgroupSkb, AttachType.CgroupInetIngress, null)]
    [InlineData("cgroup/connect_unix", ProgType.CgroupSockAddr, AttachType.CgroupUnixConnect, null)]
    [InlineData("struct_ops.s/init", ProgType.StructOps, null, "init")]
    [InlineData("sk_reuseport/migrate", ProgType.SkReuseport, AttachType.SkReuseportSelectOrMigrate, null)]
    [InlineData("netfilter", ProgType.Netfilter, AttachType.Netfilter, null)]
    public void Find_ByName_GivesTypeAttachTypeAndTarget(
        string section, ProgType type, AttachType? attach, string? target)
    {
        var def = SectionDefs.Find(section)!;

        (def.Type, def.Attach, def.TargetOf(section)).Should().Be((type, attach, target));
    }

    [Theory]
    [InlineData("sockets")]
    [InlineData("kprobeX/do_exit")]
    [InlineData("tc/whatever")]
    [InlineData("custom/something")]
    [InlineData("")]
    public void Find_OfAnUnknownName_IsNull(string section)
    {
        SectionDefs.Find(section).Should().BeNull();
    }

    [Fact]
    public void All_CoverEveryProgramTypeButUnspec()
    {
        var missing = Enum.GetValues<ProgType>().Except(SectionDefs.All.Select(d => d.Type));

        missing.Should().Equal(ProgType.Unspec);
    }

    [Fact]
    public void SleepableSections_EndInS_OrAreSyscalls()
    {
        SectionDefs.All.Where(d => (d.Flags & SectionFlags.Sleepable) != 0)
            .Should().OnlyContain(d => d.Pattern.EndsWith(".s+") || d.Pattern == "syscall");
    }
}
