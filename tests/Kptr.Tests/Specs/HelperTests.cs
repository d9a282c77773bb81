using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

public class HelperTests
{
    private static readonly KernelTypes NoTypes =
        new(BtfSpec.Read(new byte[] { 0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
            "vmlinux"));

    [Fact]
    public void Table_HasAPrototypeOfEveryHelper()
    {
        var ids = HelperTable.All.Select(h => h.Id).Distinct();
        ids.Should().BeEquivalentTo(Enum.GetValues<HelperId>().Where(id => id != HelperId.Unspec));
        ids.Should().HaveCount(211);
    }

    [Fact]
    public void Table_NamesAreTheKernels()
    {
        HelperTable.NameOf(1).Should().Be("bpf_map_lookup_elem");
        HelperTable.NameOf(194).Should().Be("bpf_kptr_xchg");
        HelperTable.NameOf(211).Should().Be("bpf_cgrp_storage_delete");
        HelperTable.NameOf(212).Should().Be("unknown");
    }

    [Fact]
    public void Table_SizesFollowMemory()
    {
        foreach (var helper in HelperTable.All)
        {
            for (var i = 0; i < 5; i++)
            {
                var isSize = helper.Arg(i).Base is ArgKind.ConstSize or ArgKind.ConstSizeOrZero;
                var isSized = i > 0 && helper.Arg(i - 1).Base == ArgKind.Mem
                    && !helper.Arg(i - 1).Has(ArgKind.FixedSize);
                isSize.Should().Be(isSized, $"argument {i} of {helper.Name}@{helper.Variant}");
            }
        }
    }

    [Fact]
    public void Parse_ReadsModifiersAndReturn()
    {
        var helper = HelperParser.Parse(
            "ringbuf_reserve(map, out aligned fixed:8, release btf:task_struct?) -> btf:file? | gpl sleep")
            .Should().ContainSingle().Subject;
        helper.Id.Should().Be(HelperId.RingbufReserve);
        helper.Arg(1).Should().Be(new HelperArg(
            ArgKind.Mem | ArgKind.FixedSize | ArgKind.Uninit | ArgKind.Write | ArgKind.Aligned, null, 8));
        helper.Arg(2).Should().Be(new HelperArg(ArgKind.BtfId | ArgKind.Release | ArgKind.MaybeNull, "task_struct"));
        helper.Arg(3).Base.Should().Be(ArgKind.None);
        helper.Ret.Should().Be(RetKind.BtfId | RetKind.MaybeNull);
        helper.RetBtf.Should().Be("file");
        (helper.GplOnly, helper.MightSleep, helper.PktAccess).Should().Be((true, true, false));
    }

    [Theory]
    [InlineData(ProgType.Xdp, HelperId.XdpAdjustHead, true)]
    [InlineData(ProgType.SchedCls, HelperId.XdpAdjustHead, false)]
    [InlineData(ProgType.Kprobe, HelperId.KtimeGetCoarseNs, false)]
    [InlineData(ProgType.SocketFilter, HelperId.KtimeGetCoarseNs, true)]
    [InlineData(ProgType.SocketFilter, HelperId.KptrXchg, true)]
    [InlineData(ProgType.LircMode2, HelperId.KptrXchg, false)]
    [InlineData(ProgType.FlowDissector, HelperId.SkRelease, false)]
    [InlineData(ProgType.SkLookup, HelperId.SkRelease, true)]
    [InlineData(ProgType.Kprobe, HelperId.OverrideReturn, false)]
    [InlineData(ProgType.Syscall, HelperId.SysBpf, true)]
    [InlineData(ProgType.Tracing, HelperId.SysBpf, false)]
    [InlineData(ProgType.Ext, HelperId.MapLookupElem, false)]
    public void Find_ByProgramType_FollowsTheKernelsLists(ProgType type, HelperId id, bool expected) =>
        (Find(new ProgSpec("p", type, []), id) is not null).Should().Be(expected);

    [Fact]
    public void Find_SleepableProgram_GetsSleepingHelpers()
    {
        var prog = new ProgSpec("p", ProgType.Tracing, []) { ExpectedAttachType = AttachType.TraceFentry };
        Find(prog, HelperId.CopyFromUser)!.MightSleep.Should().BeTrue("the call says that the program may not sleep");
        Find(prog, HelperId.GetTaskStack)!.MightSleep.Should().BeFalse();
        Find(prog with { IsSleepable = true }, HelperId.GetTaskStack)!.MightSleep.Should().BeTrue();
    }

    [Fact]
    public void Find_DependsOnAttachType()
    {
        var iter = new ProgSpec("p", ProgType.Tracing, []) { ExpectedAttachType = AttachType.TraceIter };
        Find(iter, HelperId.SeqWrite).Should().NotBeNull();
        Find(iter with { ExpectedAttachType = AttachType.TraceFexit }, HelperId.SeqWrite).Should().BeNull();
        Find(iter, HelperId.GetFuncRet).Should().BeNull();
        Find(iter with { ExpectedAttachType = AttachType.TraceFexit }, HelperId.GetFuncRet).Should().NotBeNull();
        var cgroup = new ProgSpec("p", ProgType.CgroupSockAddr, [])
        {
            ExpectedAttachType = AttachType.CgroupInet4Connect,
        };
        Find(cgroup, HelperId.GetRetval).Should().NotBeNull();
        Find(cgroup, HelperId.Bind).Should().NotBeNull();
        Find(cgroup with { ExpectedAttachType = AttachType.CgroupInet4Getsockname }, HelperId.GetRetval).Should()
            .BeNull();
        Find(cgroup with { ExpectedAttachType = AttachType.CgroupInet4Getsockname }, HelperId.Bind).Should().BeNull();
    }

    [Fact]
    public void Find_VariantsOfOneHelper_TakeDifferentArguments()
    {
        Find(new ProgSpec("p", ProgType.SchedCls, []), HelperId.GetSocketCookie)!.Arg(0).Base.Should().Be(ArgKind.Ctx);
        Find(new ProgSpec("p", ProgType.SkReuseport, []), HelperId.GetSocketCookie)!.Arg(0).Base.Should().Be(
            ArgKind.BtfIdSockCommon);
        Find(new ProgSpec("p", ProgType.CgroupSock, []), HelperId.SkStorageGet)!.Arg(1).Base.Should().Be(ArgKind.Ctx);
    }

    [Theory]
    [InlineData(AttachType.TraceFentry, "vfs_truncate", true)]
    [InlineData(AttachType.TraceFentry, "vfs_read", false)]
    [InlineData(AttachType.TraceIter, "bpf_iter_task", true)]
    public void IsAllowedAt_DPath_FollowsTheAttachTarget(AttachType attach, string target, bool expected) =>
        HelperAccess.IsAllowedAt(HelperTable.Find(HelperId.DPath)!,
            new ProgSpec("p", ProgType.Tracing, []) { ExpectedAttachType = attach }, KernelProfile.Linux6_12, target)
            .Should().Be(expected);

    [Fact]
    public void LsmHooks_TakeNamesWithAndWithoutPrefix()
    {
        LsmHooks.IsSleepable("bpf_lsm_file_open", KernelProfile.Linux6_12).Should().BeTrue();
        LsmHooks.IsSleepable("task_free", KernelProfile.Linux6_12).Should().BeFalse();
        LsmHooks.IsUntrusted("bpf_lsm_task_free", KernelProfile.Linux6_12).Should().BeTrue();
        LsmHooks.IsBool("inode_xattr_skipcap").Should().BeTrue();
        LsmHooks.IsDisabled("bpf_lsm_getprocattr", KernelProfile.Linux6_12).Should().BeTrue();
        LsmHooks.AllowsSockopt("socket_post_create").Should().BeTrue();
    }

    private static HelperSpec? Find(ProgSpec prog, HelperId id) =>
        HelperAccess.Find(prog, new KernelSpec(KernelProfile.Linux6_12, NoTypes), id);
}
