using Kptr.Specs;

namespace Kptr.Cli.Run;

/// <summary>The bytes of a test run: a packet for programs that see packets, else the context.</summary>
internal static class TestData
{
    // As much as the kernel's own tests give a program that does not care.
    private const int PacketBytes = 64;

    public static TestInput Of(ProgSpec prog, byte[] data) => prog.Type is ProgType.SocketFilter or ProgType.SchedCls
        or ProgType.SchedAct or ProgType.Xdp or ProgType.CgroupSkb or ProgType.SkSkb or ProgType.LwtIn
        or ProgType.LwtOut or ProgType.LwtXmit or ProgType.LwtSeg6Local or ProgType.FlowDissector or ProgType.Netfilter
            ? new TestInput { Packet = data.Length == 0 ? new byte[PacketBytes] : data }
            : new TestInput { Context = data };
}
