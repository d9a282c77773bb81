using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary><c>bpf_wq</c>: work that runs in process context. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
[KfuncSet(KfuncHooks.Common)]
internal static class WorkqueueKfuncs
{
    [Kfunc("bpf_wq_init",
        Prototype = "int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags)")]
    internal static Errno Init(ProgContext ctx, ulong wq, ulong map, uint flags) =>
        flags == 0 ? ctx.Host.Async.Init(ctx.MapAt(map), wq, isTimer: false) : Errno.EINVAL;

    [Kfunc("bpf_wq_set_callback_impl", Profiles = ProfileSet.Linux6_12,
        Prototype = "int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*callback_fn)(void *, int *, void *), "
            + "unsigned int flags, void *aux__ign)")]
    [Kfunc("bpf_wq_set_callback", Profiles = ProfileSet.Linux7_2,
        Prototype = "int bpf_wq_set_callback(struct bpf_wq *wq, int (*callback_fn)(void *, int *, void *), "
            + "unsigned int flags)")]
    internal static Errno SetCallback(ProgContext ctx, ulong wq, ulong callback, uint flags) =>
        flags == 0 ? ctx.Host.Async.SetCallback(ctx, wq, callback) : Errno.EINVAL;

    [Kfunc("bpf_wq_start",
        Prototype = "int bpf_wq_start(struct bpf_wq *wq, unsigned int flags)")]
    internal static Errno Start(ProgContext ctx, ulong wq, uint flags)
    {
        if (ctx.Core.Context == ExecContext.Nmi)
        {
            return Errno.EOPNOTSUPP;
        }

        if (flags != 0 || ctx.Host.Async.Find(wq) is not { Timer: null, HasCallback: true } field)
        {
            return Errno.EINVAL;
        }

        field.Schedule();
        return Errno.None;
    }
}
