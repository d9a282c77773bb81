using System.Text;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Printing, to the trace pipe and into memory. Kernel: kernel/trace/bpf_trace.c and kernel/bpf/helpers.c, 6.12.
/// </summary>
internal static class PrintHelpers
{
    private const int ArgsMax = 12;
    private const int FormatMax = 1 << 16;

    [Helper(HelperId.TracePrintk)]
    internal static int TracePrintk(ProgContext ctx, ulong format, uint size, ulong arg1, ulong arg2, ulong arg3) =>
        Print(ctx, ctx.Memory(format, (int)size, isWrite: false), [arg1, arg2, arg3]);

    [Helper(HelperId.TraceVprintk)]
    internal static int TraceVprintk(ProgContext ctx, ulong format, uint size, ulong data, uint dataLength)
    {
        return TryArgs(ctx, data, dataLength, out var args)
            ? Print(ctx, ctx.Memory(format, (int)size, isWrite: false), args) : (int)Errno.EINVAL;
    }

    [Helper(HelperId.Snprintf)]
    internal static int Snprintf(ProgContext ctx, ulong target, uint size, ulong format, ulong data, uint dataLength)
    {
        var limit = Math.Min(FormatMax, LengthToEnd(ctx, format));
        if (!TryArgs(ctx, data, dataLength, out var args)
            || !BpfFormat.TryFormat(ctx, ctx.Memory(format, limit, isWrite: false), args, out var text))
        {
            return (int)Errno.EINVAL;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        if (size > 0)
        {
            var room = ctx.Memory(target, (int)size);
            var length = Math.Min(bytes.Length, (int)size - 1);
            bytes.AsSpan(0, length).CopyTo(room);
            room[length] = 0;
        }

        return bytes.Length + 1;
    }

    private static int Print(ProgContext ctx, ReadOnlySpan<byte> format, ReadOnlySpan<ulong> args)
    {
        if (!BpfFormat.TryFormat(ctx, format, args, out var text))
        {
            return (int)Errno.EINVAL;
        }

        ctx.Host.Print(text);
        return Encoding.UTF8.GetByteCount(text);
    }

    /// <summary>The arguments of a format, from an array of words; false for a length that no array has.</summary>
    internal static bool TryArgs(ProgContext ctx, ulong data, uint length, out ulong[] args)
    {
        args = [];
        if (length % sizeof(ulong) != 0 || length > ArgsMax * sizeof(ulong) || (length > 0 && data == 0))
        {
            return false;
        }

        args = new ulong[length / sizeof(ulong)];
        for (var i = 0; i < args.Length; i++)
        {
            args[i] = ctx.Read<ulong>(data + ((ulong)i * sizeof(ulong)));
        }

        return true;
    }

    /// <summary>Bytes up to and with the zero byte, or as far as can be read.</summary>
    private static int LengthToEnd(ProgContext ctx, ulong at)
    {
        var length = 0;
        while (length < FormatMax && ctx.Callbacks.IsAccessible(at + (ulong)length, 1, isWrite: false))
        {
            if (ctx.Read<byte>(at + (ulong)length++) == 0)
            {
                break;
            }
        }

        return length;
    }
}
