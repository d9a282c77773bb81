using Kptr.Specs;
using Kptr.Verifier;
using Kptr.Verifier.Context;

namespace Kptr.Tests.Verifier.Calls;

public class CallTableTests
{
    [Theory]
    [InlineData(BpfMapType.Hash, HelperId.MapUpdateElem, true)]
    [InlineData(BpfMapType.Ringbuf, HelperId.MapLookupElem, false)]
    [InlineData(BpfMapType.Ringbuf, HelperId.RingbufReserve, true)]
    [InlineData(BpfMapType.Hash, HelperId.RingbufReserve, false)]
    [InlineData(BpfMapType.TaskStorage, HelperId.KptrXchg, true)]
    [InlineData(BpfMapType.Hash, HelperId.KptrXchg, true)]
    [InlineData(BpfMapType.Queue, HelperId.KptrXchg, false)]
    [InlineData(BpfMapType.Hash, HelperId.MapLookupPercpuElem, false)]
    [InlineData(BpfMapType.PercpuHash, HelperId.MapLookupPercpuElem, true)]
    [InlineData(BpfMapType.BloomFilter, HelperId.MapPopElem, false)]
    public void MapCompat_Fits_BothTablesMustAgree(BpfMapType map, HelperId helper, bool expected) =>
        MapCompat.Fits(map, helper).Should().Be(expected);

    [Theory]
    [InlineData("%d %s", 2, true)]
    [InlineData("%d %s", 1, false)]
    [InlineData("100%%", 0, true)]
    [InlineData("%08llx %pK %pks %pI4 %pi6 %pB", 6, true)]
    [InlineData("%p", 1, true)]
    [InlineData("%pA", 1, false)]
    [InlineData("%sx", 1, false)]
    [InlineData("%c%-12u", 2, true)]
    [InlineData("%f", 1, false)]
    [InlineData("%", 1, false)]
    [InlineData("\u0001", 0, false)]
    [InlineData("a\tb\n", 0, true)]
    public void FormatString_IsValid_FollowsTheKernelsPrinter(string format, int args, bool expected) =>
        FormatString.IsValid(format, args).Should().Be(expected);

    [Theory]
    [InlineData("kfree_skb", true, 0x1000ul)]
    [InlineData("sched_switch", false, 0ul)]
    [InlineData("bpf_testmod_test_read", true, 0ul)]
    public void RawTpNulls_TryFind_KnowsArguments(string tracepoint, bool known, ulong mask)
    {
        RawTpNulls.TryFind(KernelProfile.Linux6_12, tracepoint, out var found).Should().Be(known);
        found.Should().Be(mask);
    }

    [Theory]
    [InlineData(ProgType.SchedCls, 8, 4, true, true)] // mark
    [InlineData(ProgType.SocketFilter, 8, 4, true, false)]
    [InlineData(ProgType.SocketFilter, 8, 4, false, true)]
    [InlineData(ProgType.SocketFilter, 76, 4, false, false)] // data
    [InlineData(ProgType.SchedCls, 76, 4, false, true)]
    [InlineData(ProgType.SchedCls, 76, 2, false, false)]
    [InlineData(ProgType.SchedCls, 48, 8, true, true)] // cb
    [InlineData(ProgType.SchedCls, 64, 8, true, false)]
    [InlineData(ProgType.SchedCls, 88, 4, false, false)] // family
    [InlineData(ProgType.SchedCls, 180, 1, false, true)] // tstamp_type
    [InlineData(ProgType.SchedCls, 181, 1, false, false)]
    [InlineData(ProgType.SchedCls, 152, 8, true, true)] // tstamp
    [InlineData(ProgType.Xdp, 20, 4, false, false)] // egress_ifindex
    [InlineData(ProgType.SkReuseport, 20, 4, false, true)] // eth_protocol
    [InlineData(ProgType.SkReuseport, 20, 1, false, false)]
    public void CtxStructs_Allow_WhatTheProgramTypeMay(ProgType type, int off, int size, bool write, bool expected)
    {
        var field = CtxStructs.Of(new ProgSpec("p", type, []))!.FieldAt(off);
        (field?.Allows(off, size, write, signExtend: false, attach: null) ?? false).Should().Be(expected);
    }

    [Fact]
    public void CtxStructs_SockAddr_FieldsBelongToAttachTypes()
    {
        var ctx = CtxStructs.SockAddr;
        ctx.FieldAt(4)!.Allows(4, 4, false, false, AttachType.CgroupInet4Bind).Should().BeTrue();
        ctx.FieldAt(4)!.Allows(4, 4, false, false, AttachType.CgroupInet6Bind).Should().BeFalse();
        ctx.FieldAt(8)!.Allows(8, 8, true, false, AttachType.CgroupInet6Bind).Should().BeTrue(
            "two words at once are fine");
        ctx.FieldAt(12)!.Allows(12, 8, true, false, AttachType.CgroupInet6Bind).Should().BeFalse("but only aligned");
    }
}
