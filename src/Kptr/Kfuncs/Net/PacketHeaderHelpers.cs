using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// What a packet's headers and its context say of VLANs, congestion, protocol and time. Kernel: net/core/filter.c,
/// 6.12.
/// </summary>
internal static class PacketHeaderHelpers
{
    private const int ProtocolField = 16;
    private const int VlanPresentField = 20;
    private const int VlanTciField = 24;
    private const int VlanProtoField = 28;
    private const int TstampField = 152;
    private const int TstampTypeField = 180;
    private const int MacAddressesBytes = 12;
    private const int TagBytes = 4;
    private const int V4Bytes = 20;
    private const int V6Bytes = 40;
    private const ushort Ip = 0x0008; // protocols are big-endian in a context
    private const ushort Ip6 = 0xdd86;
    private const ushort Vlan = 0x0081; // 802.1Q
    private const ushort VlanAd = 0xa888; // 802.1ad
    private const uint ClockRealtime = 0;
    private const uint ClockTai = 2;

    /// <summary>Puts a tag beside the packet, as devices take it; one that is there already goes into the packet.
    /// </summary>
    [Helper(HelperId.SkbVlanPush)]
    internal static Errno VlanPush(ProgContext ctx, ulong skb, ushort protocol, ushort tci)
    {
        var packet = ctx.PacketAt(skb);
        if (packet.Field<uint>(VlanPresentField) != 0)
        {
            packet.Insert(MacAddressesBytes, TagBytes);
            var tag = packet.Bytes[MacAddressesBytes..];
            BinaryPrimitives.WriteUInt16LittleEndian(tag, (ushort)packet.Field<uint>(VlanProtoField));
            BinaryPrimitives.WriteUInt16BigEndian(tag[2..], (ushort)packet.Field<uint>(VlanTciField));
            packet.Field<uint>(ProtocolField) = packet.Field<uint>(VlanProtoField);
        }

        PutTag(packet, protocol is Vlan or VlanAd ? protocol : Vlan, tci);
        return Errno.None;
    }

    /// <summary>Takes the outermost tag away; the one behind it goes from the packet beside it.</summary>
    [Helper(HelperId.SkbVlanPop)]
    internal static Errno VlanPop(ProgContext ctx, ulong skb)
    {
        var packet = ctx.PacketAt(skb);
        if (packet.Field<uint>(VlanPresentField) != 0)
        {
            packet.Field<uint>(VlanPresentField) = 0;
            packet.Field<uint>(VlanTciField) = 0;
            packet.Field<uint>(VlanProtoField) = 0;
        }
        else if (IsVlan(packet))
        {
            if (!TryTakeTag(packet, out _))
            {
                return Errno.ENOMEM;
            }
        }

        if (!IsVlan(packet))
        {
            return Errno.None;
        }

        var next = (ushort)packet.Field<uint>(ProtocolField);
        if (!TryTakeTag(packet, out var tci))
        {
            return Errno.ENOMEM;
        }

        PutTag(packet, next, tci);
        return Errno.None;
    }

    /// <summary>Marks an IP packet whose sender knows of ECN as having met congestion.</summary>
    /// <returns>1 where it is marked now, 0 where it cannot be.</returns>
    [Helper(HelperId.SkbEcnSetCe)]
    internal static int EcnSetCe(ProgContext ctx, ulong skb)
    {
        const byte ce = 3, v6CeBits = 0x30;
        var packet = ctx.PacketAt(skb);
        var ip = packet.BytesFromNetwork;
        switch ((ushort)packet.Field<uint>(ProtocolField))
        {
            case Ip when ip.Length >= V4Bytes:
                var old = BinaryPrimitives.ReadUInt16BigEndian(ip);
                if ((ip[1] & ce) is 0 or ce)
                {
                    return (ip[1] & ce) == 0 ? 0 : 1;
                }

                ip[1] |= ce;
                Refresh(ip, old, BinaryPrimitives.ReadUInt16BigEndian(ip));
                return 1;
            case Ip6 when ip.Length >= V6Bytes:
                var isCapable = (ip[1] & v6CeBits) != 0;
                ip[1] |= isCapable ? v6CeBits : (byte)0;
                return isCapable ? 1 : 0;
            default:
                return 0;
        }
    }

    /// <summary>When a packet is to leave, and by which clock.</summary>
    [Helper(HelperId.SkbSetTstamp)]
    internal static Errno SetTstamp(ProgContext ctx, ulong skb, ulong time, uint type)
    {
        var packet = ctx.PacketAt(skb);
        if ((ushort)packet.Field<uint>(ProtocolField) is not (Ip or Ip6))
        {
            return Errno.EOPNOTSUPP;
        }

        if (type > ClockTai || (type == ClockRealtime) != (time == 0))
        {
            return Errno.EINVAL;
        }

        packet.Field<ulong>(TstampField) = time;
        packet.Field<byte>(TstampTypeField) = (byte)type;
        return Errno.None;
    }

    /// <summary>1 where the packet's socket was made in the cgroup at an index or below it, else 0.</summary>
    [Helper(HelperId.SkbUnderCgroup)]
    internal static int UnderCgroup(ProgContext ctx, ulong skb, ulong map, uint index)
    {
        var array = ctx.MapAt(map) as CgroupArrayMap ?? throw new ProgramFaultException(
            DiagCode.CallBadObject, $"the map at {map:x} is none of cgroups");
        using var reader = ctx.Core.Rcu.ReadLock();
        return ctx.PacketAt(skb).Socket is not { } sock ? (int)Errno.ENOENT
            : index >= array.MaxEntries ? (int)Errno.E2BIG
            : array.Lookup(index) is not { } cgroup ? (int)Errno.EAGAIN
            : sock.Cgroup.IsUnder(cgroup) ? 1 : 0;
    }

    /// <summary>Between IPv4 and IPv6: room for the longer header, or less; the program writes the header.</summary>
    [Helper(HelperId.SkbChangeProto)]
    internal static Errno ChangeProto(ProgContext ctx, ulong skb, ushort protocol, ulong flags)
    {
        const int hash = 68;
        var packet = ctx.PacketAt(skb);
        if (flags != 0)
        {
            return Errno.EINVAL;
        }

        var delta = ((ushort)packet.Field<uint>(ProtocolField), protocol) switch
        {
            (Ip, Ip6) => V6Bytes - V4Bytes,
            (Ip6, Ip) when packet.Length >= RunPacket.EthernetBytes + V6Bytes => V4Bytes - V6Bytes,
            _ => 0,
        };
        if (delta == 0)
        {
            return Errno.ENOTSUPP;
        }

        packet.Insert(RunPacket.EthernetBytes, delta);
        packet.Field<uint>(ProtocolField) = protocol;
        packet.Field<uint>(hash) = 0;
        return Errno.None;
    }

    private static bool IsVlan(RunPacket packet) => (ushort)packet.Field<uint>(ProtocolField) is Vlan or VlanAd;

    private static void PutTag(RunPacket packet, ushort protocol, ushort tci)
    {
        packet.Field<uint>(VlanPresentField) = 1;
        packet.Field<uint>(VlanTciField) = tci;
        packet.Field<uint>(VlanProtoField) = protocol;
    }

    private static bool TryTakeTag(RunPacket packet, out ushort tci)
    {
        tci = 0;
        if (packet.Length < RunPacket.EthernetBytes + TagBytes)
        {
            return false;
        }

        tci = BinaryPrimitives.ReadUInt16BigEndian(packet.Bytes[RunPacket.EthernetBytes..]);
        packet.Insert(MacAddressesBytes, -TagBytes);
        packet.Field<uint>(ProtocolField) = BinaryPrimitives.ReadUInt16LittleEndian(packet.Bytes[MacAddressesBytes..]);
        return true;
    }

    // RFC 1624: the checksum of an IPv4 header after one of its 16-bit words has changed.
    private static void Refresh(Span<byte> ip, ushort old, ushort now)
    {
        const int checksum = 10;
        var sum = (uint)(ushort)~BinaryPrimitives.ReadUInt16BigEndian(ip[checksum..]) + (ushort)~old + now;
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(ip[checksum..], (ushort)~sum);
    }
}
