using System.Text;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// A parameter of the kernel that somebody reads or writes, for programs at <c>cgroup/sysctl</c>. Kernel:
/// kernel/bpf/cgroup.c, 6.12.
/// </summary>
internal static class SysctlHelpers
{
    private const ulong BaseName = 1; // BPF_F_SYSCTL_BASE_NAME
    private const int ValueBytesMax = 4095;
    private const int WriteField = 0;

    /// <summary>The name, or with a flag what stands behind its last slash.</summary>
    /// <returns>Its length, or <c>-E2BIG</c> where it was cut to fit.</returns>
    [Helper(HelperId.SysctlGetName)]
    internal static int GetName(ProgContext ctx, ulong context, ulong target, ulong size, ulong flags)
    {
        _ = context;
        if ((flags & ~BaseName) != 0 || size == 0)
        {
            return (int)Errno.EINVAL;
        }

        var name = AccessOf(ctx).Name;
        var room = ctx.Memory(target, (int)size);
        return Copy(room, Encoding.UTF8.GetBytes((flags & BaseName) != 0 ? name[(name.LastIndexOf('/') + 1)..] : name));
    }

    [Helper(HelperId.SysctlGetCurrentValue)]
    internal static int GetCurrent(ProgContext ctx, ulong context, ulong target, ulong size)
    {
        _ = context;
        var room = ctx.Memory(target, (int)size);
        room.Clear();
        return Copy(room, AccessOf(ctx).Current.Span);
    }

    /// <summary>What is being written; <c>-EINVAL</c> and zeros where the parameter is only read.</summary>
    [Helper(HelperId.SysctlGetNewValue)]
    internal static int GetNew(ProgContext ctx, ulong context, ulong target, ulong size)
    {
        var access = AccessOf(ctx);
        var room = ctx.Memory(target, (int)size);
        room.Clear();
        return IsWrite(ctx, context) && access.New is { } value ? Copy(room, value.Span) : (int)Errno.EINVAL;
    }

    /// <summary>Writes something else instead.</summary>
    [Helper(HelperId.SysctlSetNewValue)]
    internal static Errno SetNew(ProgContext ctx, ulong context, ulong source, ulong size)
    {
        var access = AccessOf(ctx);
        if (!IsWrite(ctx, context) || access.New is not { IsEmpty: false } || size == 0)
        {
            return Errno.EINVAL;
        }

        if (size > ValueBytesMax)
        {
            return Errno.E2BIG;
        }

        access.New = ctx.Memory(source, (int)size, isWrite: false).ToArray();
        return Errno.None;
    }

    private static bool IsWrite(ProgContext ctx, ulong context) => ctx.Read<uint>(context + WriteField) != 0;

    private static SysctlAccess AccessOf(ProgContext ctx) => ctx.Sysctl
        ?? throw new ProgramFaultException(
            DiagCode.CallNotModelled, "no parameter is read or written; the run was given none");

    /// <summary>Always with a zero byte behind it; what does not fit is cut.</summary>
    private static int Copy(Span<byte> room, ReadOnlySpan<byte> value)
    {
        if (room.IsEmpty)
        {
            return (int)Errno.EINVAL;
        }

        var length = Math.Min(value.Length, room.Length - 1);
        value[..length].CopyTo(room);
        room[length] = 0;
        return length < value.Length ? (int)Errno.E2BIG : length;
    }
}
