using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Internet checksums (RFC 1071). Kernel: net/core/filter.c, 6.12.</summary>
/// <remarks>Sums of 16-bit words as they lie in memory, so the values are those of a little-endian machine.</remarks>
internal static class ChecksumHelpers
{
    private const ulong FieldBytesMask = 0xf;
    private const ulong PseudoHeader = 1 << 4;
    private const ulong MarkMangledZero = 1 << 5;
    private const ulong MarkEnforce = 1 << 6;
    private const int OffsetMax = 0xffff;
    private const ulong LevelQuery = 0;
    private const ulong LevelReset = 3;

    /// <summary>Takes a change of a field into the sum of the network header.</summary>
    [Helper(HelperId.L3CsumReplace)]
    internal static Errno ReplaceL3(ProgContext ctx, ulong skb, uint offset, ulong from, ulong to, ulong flags) =>
        (flags & ~FieldBytesMask) != 0
            ? Errno.EINVAL
            : Replace(ctx.PacketAt(skb), offset, from, to, flags, keepsZero: false);

    /// <summary>The same for the transport header's, which is 0 where UDP has none.</summary>
    [Helper(HelperId.L4CsumReplace)]
    internal static Errno ReplaceL4(ProgContext ctx, ulong skb, uint offset, ulong from, ulong to, ulong flags)
    {
        const ulong known = FieldBytesMask | PseudoHeader | MarkMangledZero | MarkEnforce;
        if ((flags & ~known) != 0)
        {
            return Errno.EINVAL;
        }

        var isMangled = (flags & MarkMangledZero) != 0;
        var packet = ctx.PacketAt(skb);
        var result = Replace(packet, offset, from, to, flags, isMangled && (flags & MarkEnforce) == 0);
        if (result == Errno.None && isMangled && Sum(packet, offset) == 0)
        {
            Sum(packet, offset) = 0xffff;
        }

        return result;
    }

    /// <summary>
    /// What a checksum changes by where one stretch of memory takes another's place, or the sum of one alone.
    /// </summary>
    [Helper(HelperId.CsumDiff)]
    internal static long Diff(ProgContext ctx, ulong from, uint fromBytes, ulong to, uint toBytes, uint seed)
    {
        const int scratchBytes = 512;
        if (((fromBytes | toBytes) & 3) != 0)
        {
            return (long)Errno.EINVAL;
        }

        if (fromBytes + toBytes > scratchBytes)
        {
            return (long)Errno.ENOSPC;
        }

        var sum = (ulong)seed;
        sum += (ulong)(~Words(ctx, from, fromBytes) & uint.MaxValue) * (fromBytes > 0 ? 1ul : 0);
        sum += Words(ctx, to, toBytes);
        return Fold32(sum);
    }

    /// <summary>The model's packets carry no sum of the whole.</summary>
    [Helper(HelperId.CsumUpdate)]
    internal static Errno Update(ProgContext ctx, ulong skb, uint sum)
    {
        _ = (ctx.PacketAt(skb), sum);
        return Errno.ENOTSUPP;
    }

    /// <summary>No level was checked by hardware: a query is refused, and changes have nothing to change.</summary>
    [Helper(HelperId.CsumLevel)]
    internal static Errno Level(ProgContext ctx, ulong skb, ulong level)
    {
        _ = ctx.PacketAt(skb);
        return level == LevelQuery ? Errno.EACCES : level > LevelReset ? Errno.EINVAL : Errno.None;
    }

    private static Errno Replace(RunPacket packet, uint offset, ulong from, ulong to, ulong flags, bool keepsZero)
    {
        if (offset > OffsetMax || (offset & 1) != 0 || offset + sizeof(ushort) > packet.Length)
        {
            return Errno.EFAULT;
        }

        ref var sum = ref Sum(packet, offset);
        if (keepsZero && sum == 0)
        {
            return Errno.None;
        }

        ulong diff;
        switch (flags & FieldBytesMask)
        {
            case 0 when from == 0:
                diff = (uint)to;
                break;
            case 2:
                diff = (ulong)(ushort)~from + (ushort)to;
                break;
            case 4:
                diff = (ulong)~(uint)from + (uint)to;
                break;
            default:
                return Errno.EINVAL;
        }

        sum = (ushort)~Fold16((ushort)~sum + diff);
        return Errno.None;
    }

    private static ref ushort Sum(RunPacket packet, uint offset) =>
        ref System.Runtime.InteropServices.MemoryMarshal.AsRef<ushort>(packet.Bytes.Slice((int)offset, sizeof(ushort)));

    private static uint Words(ProgContext ctx, ulong at, uint sizeBytes)
    {
        var sum = 0ul;
        for (var bytes = ctx.Memory(at, (int)sizeBytes, isWrite: false); bytes.Length > 0; bytes =
            bytes[sizeof(uint)..])
        {
            sum += BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        }

        return Fold32(sum);
    }

    private static uint Fold32(ulong sum)
    {
        while (sum > uint.MaxValue)
        {
            sum = (sum & uint.MaxValue) + (sum >> 32);
        }

        return (uint)sum;
    }

    private static ushort Fold16(ulong sum)
    {
        while (sum > ushort.MaxValue)
        {
            sum = (sum & ushort.MaxValue) + (sum >> 16);
        }

        return (ushort)sum;
    }
}
