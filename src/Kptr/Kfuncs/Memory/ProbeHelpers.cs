using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Reads from addresses that nobody vouches for. Kernel: kernel/trace/bpf_trace.c and kernel/bpf/helpers.c, 6.12.
/// </summary>
/// <remarks>
/// Kernel and user memory are one address space here; what the model does not know at an address is <c>-EFAULT</c>.
/// </remarks>
internal static class ProbeHelpers
{
    private const ulong PadZeros = 1;

    [Helper(HelperId.ProbeRead, HelperId.ProbeReadKernel, HelperId.ProbeReadUser)]
    internal static Errno ProbeRead(ProgContext ctx, ulong dst, uint size, ulong unsafeSource)
    {
        var room = ctx.Memory(dst, (int)size);
        if (!ctx.Callbacks.IsAccessible(unsafeSource, (int)size, isWrite: false))
        {
            room.Clear();
            return Errno.EFAULT;
        }

        ctx.Memory(unsafeSource, (int)size, isWrite: false).CopyTo(room);
        return Errno.None;
    }

    [Helper(HelperId.CopyFromUser)]
    internal static Errno CopyFromUser(ProgContext ctx, ulong dst, uint size, ulong user)
    {
        ctx.Core.MightSleep("bpf_copy_from_user");
        return ProbeRead(ctx, dst, size, user);
    }

    [Helper(HelperId.CopyFromUserTask)]
    internal static Errno CopyFromUserTask(ProgContext ctx, ulong dst, uint size, ulong user, ulong task, ulong flags)
    {
        _ = task;
        return flags != 0 ? Errno.EINVAL : size == 0 ? Errno.None : CopyFromUser(ctx, dst, size, user);
    }

    [Helper(HelperId.ProbeReadStr, HelperId.ProbeReadKernelStr, HelperId.ProbeReadUserStr)]
    internal static int ProbeReadStr(ProgContext ctx, ulong dst, uint size, ulong unsafeSource)
    {
        var room = ctx.Memory(dst, (int)size);
        var length = CopyString(ctx, room, unsafeSource);
        if (length < 0)
        {
            room.Clear();
        }

        return length;
    }

    [Kfunc("bpf_copy_from_user_str", KfuncFlags.Sleepable,
        Hooks = KfuncHooks.Common,
        Prototype = "int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags)")]
    internal static int CopyFromUserStr(ProgContext ctx, ulong dst, uint size, ulong user, ulong flags)
    {
        if ((flags & ~PadZeros) != 0)
        {
            return (int)Errno.EINVAL;
        }

        ctx.Core.MightSleep("bpf_copy_from_user_str");
        var room = ctx.Memory(dst, (int)size);
        var length = CopyString(ctx, room, user);
        if ((flags & PadZeros) != 0)
        {
            room[Math.Max(length, 0)..].Clear();
        }

        return length;
    }

    /// <summary>
    /// Copies up to and with the zero byte; cuts the string where there is no room, and ends it with zero then.
    /// </summary>
    /// <returns>Bytes written, zero byte included, or <c>-EFAULT</c>.</returns>
    internal static int CopyString(ProgContext ctx, Span<byte> room, ulong source)
    {
        for (var i = 0; i < room.Length; i++)
        {
            if (!ctx.Callbacks.IsAccessible(source + (ulong)i, 1, isWrite: false))
            {
                return (int)Errno.EFAULT;
            }

            room[i] = i == room.Length - 1 ? (byte)0 : ctx.Read<byte>(source + (ulong)i);
            if (room[i] == 0)
            {
                return i + 1;
            }
        }

        return 0;
    }
}
