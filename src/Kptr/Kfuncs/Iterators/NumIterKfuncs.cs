using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>The open-coded iterator over a range of numbers. Kernel: kernel/bpf/bpf_iter.c, 6.12.</summary>
/// <remarks>
/// <c>struct bpf_iter_num</c> holds the current number and the end, 4 bytes each; current counts from start - 1.
/// </remarks>
[KfuncSet(KfuncHooks.Common)]
internal static class NumIterKfuncs
{
    /// <summary><c>BPF_MAX_LOOPS</c>: 8 Mi.</summary>
    internal const long LoopsMax = 8 << 20;

    [Kfunc("bpf_iter_num_new", KfuncFlags.IterNew,
        Prototype = "int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end)")]
    internal static Errno NumNew(ProgContext ctx, ulong it, int start, int end)
    {
        if (start > end)
        {
            return Set(ctx, it, 0, 0, Errno.EINVAL);
        }

        return (long)end - start > LoopsMax
            ? Set(ctx, it, 0, 0, Errno.E2BIG)
            : Set(ctx, it, unchecked(start - 1), end, Errno.None);
    }

    [Kfunc("bpf_iter_num_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Prototype = "int *bpf_iter_num_next(struct bpf_iter_num *it)")]
    internal static ulong NumNext(ProgContext ctx, ulong it)
    {
        var cur = ctx.Read<int>(it);
        var end = ctx.Read<int>(it + 4);
        if (unchecked(cur + 1) >= end)
        {
            Set(ctx, it, 0, 0, Errno.None);
            return 0;
        }

        ctx.Write(it, unchecked(cur + 1));
        return it;
    }

    [Kfunc("bpf_iter_num_destroy", KfuncFlags.IterDestroy,
        Prototype = "void bpf_iter_num_destroy(struct bpf_iter_num *it)")]
    internal static void NumDestroy(ProgContext ctx, ulong it) => Set(ctx, it, 0, 0, Errno.None);

    private static Errno Set(ProgContext ctx, ulong it, int cur, int end, Errno result)
    {
        ctx.Write(it, cur);
        ctx.Write(it + 4, end);
        return result;
    }
}
