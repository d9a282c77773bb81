using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Where a packet goes, and what is known of it besides its bytes. Kernel: net/core/filter.c, 6.12.</summary>
/// <remarks>
/// The model's one device is the loopback: packets that are sent elsewhere are noted in the run's result.
/// </remarks>
internal static class PacketFateHelpers
{
    private const int ActShot = 2;
    private const int ActRedirect = 7;
    private const int XdpAborted = 0;
    private const int XdpRedirect = 4;
    private const ulong Ingress = 1;
    private const ulong RedirectMapActions = 3;
    private const ulong Broadcast = 1 << 3;
    private const ulong ExcludeIngress = 1 << 4;
    private const int HashField = 68;

    [Helper(HelperId.Redirect)]
    internal static int Redirect(ProgContext ctx, uint ifindex, ulong flags)
    {
        var isXdp = ctx.Prog.Type == ProgType.Xdp;
        if ((isXdp ? flags : flags & ~Ingress) != 0)
        {
            return isXdp ? XdpAborted : ActShot;
        }

        Note(ctx, ifindex);
        return isXdp ? XdpRedirect : ActRedirect;
    }

    [Helper(HelperId.RedirectPeer)]
    internal static int RedirectPeer(ProgContext ctx, uint ifindex, ulong flags) =>
        RedirectUnless(ctx, ifindex, flags != 0);

    [Helper(HelperId.RedirectNeigh)]
    internal static int RedirectNeigh(ProgContext ctx, uint ifindex, ulong parameters, uint size, ulong flags)
    {
        const int leastBytes = 4;
        _ = parameters;
        return RedirectUnless(ctx, ifindex, flags != 0 || (size > 0 && size < leastBytes));
    }

    /// <summary>
    /// Sends a packet where an entry of a map says; without an entry the low bits of the flags are the action.
    /// </summary>
    [Helper(HelperId.RedirectMap)]
    internal static int RedirectMap(ProgContext ctx, ulong map, ulong key, ulong flags)
    {
        var target = ctx.MapAt(map) as RedirectMap ?? throw new ProgramFaultException(
            DiagCode.CallBadObject, $"the map at {map:x} is none to redirect to");
        var isDevices = target.Type is BpfMapType.Devmap or BpfMapType.DevmapHash;
        if ((flags & ~(RedirectMapActions | (isDevices ? Broadcast | ExcludeIngress : 0))) != 0)
        {
            return XdpAborted;
        }

        if (!target.Has((uint)key) && (flags & Broadcast) == 0)
        {
            return (int)(flags & RedirectMapActions);
        }

        Note(ctx, (uint)key);
        return XdpRedirect;
    }

    [Helper(HelperId.CloneRedirect)]
    internal static Errno CloneRedirect(ProgContext ctx, ulong skb, uint ifindex, ulong flags)
    {
        var packet = ctx.PacketAt(skb);
        if ((flags & ~Ingress) != 0 || ifindex != Loopback.Index)
        {
            return Errno.EINVAL;
        }

        packet.CloneCount++;
        return Errno.None;
    }

    /// <summary>
    /// Whether a packet of this length, changed by so much, fits through a device; its limit goes to the program.
    /// </summary>
    /// <returns>0, or 1 where it is too long.</returns>
    [Helper(HelperId.CheckMtu)]
    internal static int CheckMtu(ProgContext ctx, ulong context, uint ifindex, ulong length, int delta, ulong flags)
    {
        const int fragNeeded = 1;
        var packet = ctx.PacketAt(context);
        if ((flags & ~(packet.IsXdp ? 0 : 1ul)) != 0)
        {
            return (int)Errno.EINVAL;
        }

        if (ifindex is not (0 or Loopback.Index))
        {
            return (int)Errno.ENODEV;
        }

        var asked = ctx.Read<uint>(length);
        var size = (asked > 0 ? asked + RunPacket.EthernetBytes : packet.Length) + (long)delta;
        ctx.Write(length, (uint)Loopback.MtuBytes);
        return size <= Loopback.MtuBytes + RunPacket.EthernetBytes ? 0 : fragNeeded;
    }

    /// <summary>The model has no routes: nothing is forwarded.</summary>
    [Helper(HelperId.FibLookup)]
    internal static int FibLookup(ProgContext ctx, ulong context, ulong parameters, int size, uint flags)
    {
        const int paramsBytes = 64, notForwarded = 4;
        _ = (ctx.PacketAt(context), parameters, flags);
        return size < paramsBytes ? (int)Errno.EINVAL : notForwarded;
    }

    /// <summary>The flow's hash: the one that was set, else one of the bytes; never 0.</summary>
    [Helper(HelperId.GetHashRecalc)]
    internal static uint HashRecalc(ProgContext ctx, ulong skb)
    {
        var packet = ctx.PacketAt(skb);
        ref var hash = ref packet.Field<uint>(HashField);
        if (hash == 0)
        {
            hash = 2166136261;
            foreach (var b in packet.Bytes)
            {
                hash = (hash ^ b) * 16777619;
            }

            hash = Math.Max(hash, 1);
        }

        return hash;
    }

    [Helper(HelperId.SetHashInvalid)]
    internal static void SetHashInvalid(ProgContext ctx, ulong skb) => ctx.PacketAt(skb).Field<uint>(HashField) = 0;

    [Helper(HelperId.SetHash)]
    internal static Errno SetHash(ProgContext ctx, ulong skb, uint hash)
    {
        ctx.PacketAt(skb).Field<uint>(HashField) = hash;
        return Errno.None;
    }

    /// <summary>No routes and no net_cls: packets are in none of their classes.</summary>
    [Helper(HelperId.GetRouteRealm, HelperId.GetCgroupClassid, HelperId.SkbCgroupClassid)]
    internal static uint NoClass(ProgContext ctx, ulong skb)
    {
        _ = ctx.PacketAt(skb);
        return 0;
    }

    private static int RedirectUnless(ProgContext ctx, uint ifindex, bool isRefused)
    {
        if (isRefused)
        {
            return ActShot;
        }

        Note(ctx, ifindex);
        return ActRedirect;
    }

    private static void Note(ProgContext ctx, uint ifindex)
    {
        if (ctx.Packet is { } packet)
        {
            packet.RedirectTarget = ifindex;
        }
    }
}
