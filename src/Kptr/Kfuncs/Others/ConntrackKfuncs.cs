using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Tracked connections of one network namespace and one zone. Kernel: net/netfilter/nf_conntrack_bpf.c, 6.12.
/// </summary>
/// <remarks>
/// <c>struct bpf_ct_opts</c> is 16 bytes (12 in older programs): netns id, error, protocol. The new connection and the
/// inserted one are the same object under two types.
/// </remarks>
[KfuncSet(KfuncHooks.Xdp | KfuncHooks.Tc)]
internal static class ConntrackKfuncs
{
    private const uint OptsBytes = 16;
    private const uint OldOptsBytes = 12;
    private const uint TupleV4Bytes = 12;
    private const uint TupleV6Bytes = 36;
    private const uint ManipSource = 0;
    private const uint ManipDest = 1;
    private const int CurrentNetns = -1;
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const ulong Expected = 1 << 0;
    private const ulong SetOnly = (1 << 1) | (1 << 2); // seen reply, assured
    private const ulong Confirmed = 1 << 3;
    private const ulong Dying = 1 << 9;
    private const ulong Changeable = (1 << 1) | (1 << 2) | (1 << 10) | (1 << 13);

    [Kfunc("bpf_xdp_ct_alloc", KfuncFlags.Acquire | KfuncFlags.RetNull, Profiles = ProfileSet.All,
        Prototype = "struct nf_conn___init *bpf_xdp_ct_alloc(struct xdp_md *xdp_ctx, struct bpf_sock_tuple *bpf_tuple, "
            + "u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz)")]
    internal static KernelRef<NfConn>? XdpAlloc(
        ProgContext ctx, ulong packet, ulong tuple, uint tupleSize, ulong opts, uint optsSize) =>
        Alloc(ctx, packet, tuple, tupleSize, opts, optsSize);

    [Kfunc("bpf_skb_ct_alloc", KfuncFlags.Acquire | KfuncFlags.RetNull, Profiles = ProfileSet.All,
        Prototype = "struct nf_conn___init *bpf_skb_ct_alloc(struct __sk_buff *skb_ctx, "
            + "struct bpf_sock_tuple *bpf_tuple, u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz)")]
    internal static KernelRef<NfConn>? SkbAlloc(
        ProgContext ctx, ulong packet, ulong tuple, uint tupleSize, ulong opts, uint optsSize) =>
        Alloc(ctx, packet, tuple, tupleSize, opts, optsSize);

    [Kfunc("bpf_xdp_ct_lookup", KfuncFlags.Acquire | KfuncFlags.RetNull, Profiles = ProfileSet.All,
        Prototype = "struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *xdp_ctx, struct bpf_sock_tuple *bpf_tuple, "
            + "u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz)")]
    internal static KernelRef<NfConn>? XdpLookup(
        ProgContext ctx, ulong packet, ulong tuple, uint tupleSize, ulong opts, uint optsSize) =>
        Lookup(ctx, packet, tuple, tupleSize, opts, optsSize);

    [Kfunc("bpf_skb_ct_lookup", KfuncFlags.Acquire | KfuncFlags.RetNull, Profiles = ProfileSet.All,
        Prototype = "struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb_ctx, struct bpf_sock_tuple *bpf_tuple, "
            + "u32 tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz)")]
    internal static KernelRef<NfConn>? SkbLookup(
        ProgContext ctx, ulong packet, ulong tuple, uint tupleSize, ulong opts, uint optsSize) =>
        Lookup(ctx, packet, tuple, tupleSize, opts, optsSize);

    /// <summary>
    /// Puts a new connection into the table; the program's reference goes on as one on the inserted connection.
    /// </summary>
    /// <returns>Null where the flow is tracked already: the reference is then dropped.</returns>
    [Kfunc("bpf_ct_insert_entry", KfuncFlags.Acquire | KfuncFlags.Release | KfuncFlags.RetNull,
        Profiles = ProfileSet.All,
        Prototype = "struct nf_conn *bpf_ct_insert_entry(struct nf_conn___init *nfct_i)")]
    internal static KernelRef<NfConn>? InsertEntry(
        [TakesOwnership] KernelRef<NfConn> conn, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0)
    {
        var target = conn.Target;
        if (target.Core.Conntrack.Insert(target) == Errno.None)
        {
            return conn;
        }

        conn.Release(file, line);
        return null;
    }

    [Kfunc("bpf_ct_release", KfuncFlags.Release, Profiles = ProfileSet.All,
        Prototype = "void bpf_ct_release(struct nf_conn *nfct)")]
    internal static void Release(
        [TakesOwnership] KernelRef<NfConn> conn, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        conn.Release(file, line);

    [Kfunc("bpf_ct_set_timeout", KfuncFlags.TrustedArgs, Profiles = ProfileSet.All,
        Prototype = "void bpf_ct_set_timeout(struct nf_conn___init *nfct, u32 timeout)")]
    internal static void SetTimeout(NfConn conn, uint milliseconds) => conn.TimeoutMs = milliseconds;

    [Kfunc("bpf_ct_change_timeout", KfuncFlags.TrustedArgs, Profiles = ProfileSet.All,
        Prototype = "int bpf_ct_change_timeout(struct nf_conn *nfct, u32 timeout)")]
    internal static Errno ChangeTimeout(NfConn conn, uint milliseconds)
    {
        conn.TimeoutMs = milliseconds;
        return Errno.None;
    }

    [Kfunc("bpf_ct_set_status", KfuncFlags.TrustedArgs, Profiles = ProfileSet.All,
        Prototype = "int bpf_ct_set_status(const struct nf_conn___init *nfct, u32 status)")]
    internal static Errno SetStatus(NfConn conn, uint status) => ChangeStatus(conn, status);

    /// <summary>Sets status bits; those that only the kernel may change must stay as they are.</summary>
    [Kfunc("bpf_ct_change_status", KfuncFlags.TrustedArgs, Profiles = ProfileSet.All,
        Prototype = "int bpf_ct_change_status(struct nf_conn *nfct, u32 status)")]
    internal static Errno ChangeStatus(NfConn conn, uint status)
    {
        var changed = conn.Status ^ status;
        if ((changed & (Expected | Confirmed | Dying)) != 0 || (changed & SetOnly & ~(ulong)status) != 0)
        {
            return Errno.EBUSY;
        }

        conn.Status |= status & Changeable;
        return Errno.None;
    }

    /// <summary>Replies go to another address: the source's place, or the destination's, is taken by it.</summary>
    [Kfunc("bpf_ct_set_nat_info", KfuncFlags.TrustedArgs, Profiles = ProfileSet.All,
        Prototype = "int bpf_ct_set_nat_info(struct nf_conn___init *nfct, union nf_inet_addr *addr, int port, "
            + "enum nf_nat_manip_type manip)")]
    internal static Errno SetNatInfo(ProgContext ctx, NfConn conn, ulong address, int port, uint manip)
    {
        if (manip is not (ManipSource or ManipDest))
        {
            return Errno.EINVAL;
        }

        var to = FlowTuple.FromNetwork(ctx.Memory(address, conn.Tuple.IsV6 ? 16 : 4, isWrite: false));
        conn.Translate(to, port > 0 ? (ushort)port : null, isSource: manip == ManipSource);
        return Errno.None;
    }

    private static KernelRef<NfConn>? Alloc(
        ProgContext ctx, ulong packet, ulong tuple, uint tupleSize, ulong opts, uint optsSize)
    {
        _ = ctx.PacketAt(packet);
        return TryTuple(ctx, tuple, tupleSize, opts, optsSize, out var flow)
            ? KernelRef.Own(ctx.Core.Conntrack.Allocate(flow)) : null;
    }

    private static KernelRef<NfConn>? Lookup(
        ProgContext ctx, ulong packet, ulong tuple, uint tupleSize, ulong opts, uint optsSize)
    {
        _ = ctx.PacketAt(packet);
        if (!TryTuple(ctx, tuple, tupleSize, opts, optsSize, out var flow))
        {
            return null;
        }

        if (ctx.Core.Conntrack.Find(flow) is { } conn && conn.TryAcquire() is { } owned)
        {
            ctx.Write<byte>(opts + 9, conn.Tuple == flow ? (byte)0 : (byte)1);
            return owned;
        }

        SetError(ctx, opts, optsSize, Errno.ENOENT);
        return null;
    }

    private static bool TryTuple(
        ProgContext ctx, ulong tuple, uint tupleSize, ulong opts, uint optsSize, out FlowTuple flow)
    {
        flow = default;
        var error = Check(ctx, tuple, tupleSize, opts, optsSize, out var protocol);
        if (error != Errno.None)
        {
            SetError(ctx, opts, optsSize, error);
            return false;
        }

        var bytes = ctx.Memory(tuple, (int)tupleSize, isWrite: false);
        var n = tupleSize == TupleV6Bytes ? 16 : 4;
        flow = new(
            FlowTuple.FromNetwork(bytes[..n]), BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 * n)..]),
            FlowTuple.FromNetwork(bytes.Slice(n, n)),
            BinaryPrimitives.ReadUInt16BigEndian(bytes[((2 * n) + 2)..]), protocol,
            tupleSize == TupleV6Bytes);
        return true;
    }

    private static Errno Check(
        ProgContext ctx, ulong tuple, uint tupleSize, ulong opts, uint optsSize, out byte protocol)
    {
        protocol = 0;
        if (tuple == 0 || opts == 0 || optsSize is not (OptsBytes or OldOptsBytes))
        {
            return Errno.EINVAL;
        }

        protocol = ctx.Read<byte>(opts + 8);
        var netns = ctx.Read<int>(opts);
        return netns < CurrentNetns ? Errno.EINVAL
            : protocol is not (Tcp or Udp) ? Errno.EPROTO
            : tupleSize is not (TupleV4Bytes or TupleV6Bytes) ? Errno.EAFNOSUPPORT
            : netns > 0 ? Errno.ENONET
            : ctx.Read<ushort>(opts + 10) != 0 ? Errno.EOPNOTSUPP
            : Errno.None;
    }

    private static void SetError(ProgContext ctx, ulong opts, uint optsSize, Errno error)
    {
        if (opts != 0 && optsSize >= 8)
        {
            ctx.Write(opts + 4, (int)error);
        }
    }
}
