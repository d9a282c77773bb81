using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Dynptrs over packets. Kernel: net/core/filter.c, 6.12.</summary>
internal static class PacketDynptrKfuncs
{
    [Kfunc("bpf_dynptr_from_skb", KfuncFlags.TrustedArgs,
        Hooks = KfuncHooks.Tc | KfuncHooks.Tracing | KfuncHooks.Cgroup | KfuncHooks.SchedAct | KfuncHooks.SkSkb
            | KfuncHooks.SocketFilter
            | KfuncHooks.Lwt | KfuncHooks.Netfilter,
        Prototype = "int bpf_dynptr_from_skb(struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr__uninit)")]
    internal static Errno FromSkb(ProgContext ctx, ulong skb, ulong flags, ulong ptr) =>
        From(ctx, skb, flags, ptr, DynptrType.Skb);

    [Kfunc("bpf_dynptr_from_xdp",
        Hooks = KfuncHooks.Xdp,
        Prototype = "int bpf_dynptr_from_xdp(struct xdp_md *x, u64 flags, struct bpf_dynptr *ptr__uninit)")]
    internal static Errno FromXdp(ProgContext ctx, ulong xdp, ulong flags, ulong ptr) =>
        From(ctx, xdp, flags, ptr, DynptrType.Xdp);

    private static Errno From(ProgContext ctx, ulong context, ulong flags, ulong ptr, DynptrType type)
    {
        var packet = ctx.PacketAt(context);
        var made = flags != 0 ? default : new Dynptr(context, type, (uint)packet.Length, isRdOnly: !packet.IsWritable);
        made.Write(ctx, ptr);
        return flags != 0 ? Errno.EINVAL : Errno.None;
    }
}
