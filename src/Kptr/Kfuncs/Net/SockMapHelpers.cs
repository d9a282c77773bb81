using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Maps of sockets as places to go to. Kernel: net/core/sock_map.c and filter.c, 6.12.</summary>
internal static class SockMapHelpers
{
    private const int Drop = 0;
    private const int Pass = 1;
    private const ulong Ingress = 1;

    /// <summary>Sends a packet or message to a socket in a map; it is noted in the run's result.</summary>
    [Helper(HelperId.SkRedirectMap, HelperId.MsgRedirectMap)]
    internal static int RedirectToIndex(ProgContext ctx, ulong context, ulong map, uint key, ulong flags) =>
        Redirect(ctx, context, map, BitConverter.GetBytes(key), flags);

    [Helper(HelperId.SkRedirectHash, HelperId.MsgRedirectHash)]
    internal static int RedirectToKey(ProgContext ctx, ulong context, ulong map, ulong key, ulong flags) =>
        Redirect(ctx, context, map, ctx.Memory(key, MapAt(ctx, map).KeySize, isWrite: false), flags);

    /// <summary>Puts the context's socket into a map.</summary>
    [Helper(HelperId.SockMapUpdate, HelperId.SockHashUpdate)]
    internal static Errno Update(ProgContext ctx, ulong context, ulong map, ulong key, ulong flags)
    {
        var target = MapAt(ctx, map);
        return ctx.PacketAt(context).Socket is { } sock
            ? target.Set(ctx.Memory(key, target.KeySize, isWrite: false), sock, (MapUpdateFlags)flags)
            : Errno.EOPNOTSUPP;
    }

    /// <summary>The model's sockets are in no reuseport group, so none can be chosen.</summary>
    [Helper(HelperId.SkSelectReuseport)]
    internal static Errno SelectReuseport(ProgContext ctx, ulong context, ulong map, ulong key, ulong flags)
    {
        _ = (context, ctx.MapAt(map), key);
        return flags != 0 ? Errno.EINVAL : Errno.ENOENT;
    }

    private static int Redirect(ProgContext ctx, ulong context, ulong map, ReadOnlySpan<byte> key, ulong flags)
    {
        var packet = ctx.PacketAt(context);
        if ((flags & ~Ingress) != 0
            || ctx.Core.Heap.FindObject(MapAt(ctx, map).ProgLookup(key, ctx.Cpu)) is not Sock sock)
        {
            return Drop;
        }

        packet.RedirectSocket = sock;
        return Pass;
    }

    private static SockMap MapAt(ProgContext ctx, ulong map) => ctx.MapAt(map) as SockMap
        ?? throw new ProgramFaultException(DiagCode.CallBadObject, $"the map at {map:x} is none of sockets");
}
