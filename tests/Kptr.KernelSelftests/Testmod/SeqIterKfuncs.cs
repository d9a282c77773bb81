using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Testmod;

/// <summary>An open-coded iterator that gives the same number a few times.</summary>
/// <remarks><c>struct bpf_iter_testmod_seq</c>: 8 bytes of value, 4 bytes of how many are left.</remarks>
public static class SeqIterKfuncs
{
    private const ulong CountOffset = 8;

    [Kfunc("bpf_iter_testmod_seq_new", KfuncFlags.IterNew, Hooks = KfuncHooks.Common,
        Prototype = "int bpf_iter_testmod_seq_new(struct bpf_iter_testmod_seq *it, s64 value, int cnt)")]
    public static Errno New(ProgContext ctx, ulong it, long value, int count)
    {
        ctx.Write(it + CountOffset, count);
        if (count < 0)
        {
            return Errno.EINVAL;
        }

        ctx.Write(it, value);
        return Errno.None;
    }

    [Kfunc("bpf_iter_testmod_seq_next", KfuncFlags.IterNext | KfuncFlags.RetNull, Hooks = KfuncHooks.Common,
        Prototype = "s64 *bpf_iter_testmod_seq_next(struct bpf_iter_testmod_seq *it)")]
    public static ulong Next(ProgContext ctx, ulong it)
    {
        var left = ctx.Read<int>(it + CountOffset);
        if (left <= 0)
        {
            return 0;
        }

        ctx.Write(it + CountOffset, left - 1);
        return it;
    }

    [Kfunc("bpf_iter_testmod_seq_value", Hooks = KfuncHooks.Common,
        Prototype = "s64 bpf_iter_testmod_seq_value(int val, struct bpf_iter_testmod_seq *it__iter)")]
    public static long Value(ProgContext ctx, int plus, ulong it) =>
        ctx.Read<int>(it + CountOffset) < 0 ? 0 : plus + ctx.Read<long>(it);

    [Kfunc("bpf_iter_testmod_seq_destroy", KfuncFlags.IterDestroy, Hooks = KfuncHooks.Common,
        Prototype = "void bpf_iter_testmod_seq_destroy(struct bpf_iter_testmod_seq *it)")]
    public static void Destroy(ProgContext ctx, ulong it) => ctx.Write(it + CountOffset, 0);
}
