using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Pages of arenas. Kernel: kernel/bpf/arena.c, 6.12 and 7.2.</summary>
[KfuncSet(KfuncHooks.Common)]
internal static class ArenaKfuncs
{
    private const int NoNode = -1;

    /// <summary>The address that it returns is user space's; the model has one node of memory, 0.</summary>
    [Kfunc("bpf_arena_alloc_pages", KfuncFlags.TrustedArgs | KfuncFlags.Sleepable, Profiles = ProfileSet.Linux6_12,
        Prototype = "void *bpf_arena_alloc_pages(void *p__map, void *addr__ign, u32 page_cnt, int node_id, u64 flags)")]
    [Kfunc("bpf_arena_alloc_pages", Profiles = ProfileSet.Linux7_2,
        Prototype = "void *bpf_arena_alloc_pages(void *p__map, void *addr__ign, u32 page_cnt, int node_id, u64 flags)")]
    internal static ulong AllocPages(ProgContext ctx, ulong map, ulong address, uint count, int node, ulong flags) =>
        ctx.MapAt(map) is ArenaMap arena && flags == 0 && node is NoNode or 0 ? arena.AllocatePages(count, address) : 0;

    /// <summary>Nothing happens for null.</summary>
    [Kfunc("bpf_arena_free_pages", KfuncFlags.TrustedArgs | KfuncFlags.Sleepable, Profiles = ProfileSet.Linux6_12,
        Prototype = "void bpf_arena_free_pages(void *p__map, void *ptr__ign, u32 page_cnt)")]
    [Kfunc("bpf_arena_free_pages", Profiles = ProfileSet.Linux7_2,
        Prototype = "void bpf_arena_free_pages(void *p__map, void *ptr__ign, u32 page_cnt)")]
    internal static void FreePages(ProgContext ctx, ulong map, ulong address, uint count)
    {
        if (ctx.MapAt(map) is ArenaMap arena && address != 0)
        {
            arena.FreePages(address, count);
        }
    }

    [Kfunc("bpf_arena_reserve_pages", Profiles = ProfileSet.Linux7_2,
        Prototype = "int bpf_arena_reserve_pages(void *p__map, void *ptr__ign, u32 page_cnt)")]
    internal static Errno ReservePages(ProgContext ctx, ulong map, ulong address, uint count) =>
        ctx.MapAt(map) is ArenaMap arena ? arena.ReservePages(address, count) : Errno.EINVAL;
}
