using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Messages on their way out of a socket. Kernel: net/core/filter.c, 6.12.</summary>
/// <remarks>
/// The model's messages are in one part, and a run sees one message: how many bytes a verdict
/// holds for changes nothing.
/// </remarks>
internal static class MessageHelpers
{
    [Helper(HelperId.MsgApplyBytes, HelperId.MsgCorkBytes)]
    internal static Errno VerdictBytes(ProgContext ctx, ulong message, uint count)
    {
        _ = (ctx.PacketAt(message), count);
        return Errno.None;
    }

    [Helper(HelperId.MsgPullData)]
    internal static Errno Pull(ProgContext ctx, ulong message, uint start, uint end, ulong flags) =>
        flags != 0 || end <= start || end > (uint)ctx.PacketAt(message).Length ? Errno.EINVAL : Errno.None;

    /// <summary>Puts zero bytes in.</summary>
    [Helper(HelperId.MsgPushData)]
    internal static Errno Push(ProgContext ctx, ulong message, uint start, uint count, ulong flags)
    {
        const uint countMax = 1 << 20;
        var packet = ctx.PacketAt(message);
        if (flags != 0 || (count > 0 && start > (uint)packet.Length))
        {
            return Errno.EINVAL;
        }

        if (count > countMax)
        {
            return Errno.ENOMEM;
        }

        packet.Insert((int)Math.Min(start, (uint)packet.Length), (int)count);
        return Errno.None;
    }

    [Helper(HelperId.MsgPopData)]
    internal static Errno Pop(ProgContext ctx, ulong message, uint start, uint count, ulong flags)
    {
        var packet = ctx.PacketAt(message);
        if (flags != 0 || (count > 0 && (start >= (uint)packet.Length || (ulong)start + count > (uint)packet.Length)))
        {
            return Errno.EINVAL;
        }

        if (count > 0)
        {
            packet.Insert((int)start, -(int)count);
        }

        return Errno.None;
    }
}
