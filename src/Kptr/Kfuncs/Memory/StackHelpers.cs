using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Stack traces: the model's tasks run no code, so there are none to take. Kernel: kernel/bpf/stackmap.c, 6.12.
/// </summary>
internal static class StackHelpers
{
    /// <summary>As in Linux where a stack cannot be walked, the program's buffer is cleared.</summary>
    [Helper(HelperId.GetStack, HelperId.GetTaskStack)]
    internal static Errno Stack(ProgContext ctx, ulong of, ulong buffer, uint size, ulong flags)
    {
        _ = (of, flags);
        ctx.Memory(buffer, (int)size).Clear();
        return Errno.EFAULT;
    }

    [Helper(HelperId.GetStackid)]
    internal static Errno StackId(ProgContext ctx, ulong context, ulong map, ulong flags)
    {
        _ = (ctx.MapAt(map), context, flags);
        return Errno.EFAULT;
    }
}
