using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Helpers on maps. Kernel: kernel/bpf/helpers.c and the map types, 6.12.</summary>
internal static class MapHelpers
{
    [Helper(HelperId.MapLookupElem)]
    internal static ulong Lookup(ProgContext ctx, ulong map, ulong key)
    {
        var target = ctx.MapAt(map);
        return target.ProgLookup(ctx.Memory(key, target.KeySize, isWrite: false), ctx.Cpu);
    }

    [Helper(HelperId.MapLookupPercpuElem)]
    internal static ulong LookupPercpu(ProgContext ctx, ulong map, ulong key, uint cpu)
    {
        var target = ctx.MapAt(map);
        return target.ProgLookupPercpu(ctx.Memory(key, target.KeySize, isWrite: false), cpu);
    }

    [Helper(HelperId.MapUpdateElem)]
    internal static Errno Update(ProgContext ctx, ulong map, ulong key, ulong value, ulong flags)
    {
        var target = ctx.MapAt(map);
        return target.ProgUpdate(
            ctx.Memory(key, target.KeySize, isWrite: false), ctx.Memory(value, target.ValueSize, isWrite: false),
            (MapUpdateFlags)flags, ctx.Cpu);
    }

    [Helper(HelperId.MapDeleteElem)]
    internal static Errno Delete(ProgContext ctx, ulong map, ulong key)
    {
        var target = ctx.MapAt(map);
        return target.ProgDelete(ctx.Memory(key, target.KeySize, isWrite: false), ctx.Cpu);
    }

    [Helper(HelperId.MapPushElem)]
    internal static Errno Push(ProgContext ctx, ulong map, ulong value, ulong flags)
    {
        var target = ctx.MapAt(map);
        return target.ProgPush(ctx.Memory(value, target.ValueSize, isWrite: false), (MapUpdateFlags)flags);
    }

    [Helper(HelperId.MapPopElem)]
    internal static Errno Pop(ProgContext ctx, ulong map, ulong value)
    {
        var target = ctx.MapAt(map);
        return target.ProgPop(ctx.Memory(value, target.ValueSize));
    }

    [Helper(HelperId.MapPeekElem)]
    internal static Errno Peek(ProgContext ctx, ulong map, ulong value)
    {
        var target = ctx.MapAt(map);
        return target.ProgPeek(ctx.Memory(value, target.ValueSize));
    }

    [Helper(HelperId.ForEachMapElem)]
    internal static long ForEach(ProgContext ctx, ulong map, ulong callback, ulong callbackCtx, ulong flags)
    {
        ctx.Keep(); // a map type of a user's may keep what it is handed
        return ctx.MapAt(map).ForEachElem(
            (key, value) => ctx.Callbacks.Call(callback, map, key, value, callbackCtx), flags, ctx.Cpu);
    }

    /// <summary>
    /// Elements of a hash; other types keep no count and give 0. Kernel: kernel/bpf/map_iter.c, 6.12.
    /// </summary>
    [Kfunc("bpf_map_sum_elem_count", KfuncFlags.TrustedArgs,
        Hooks = KfuncHooks.Common,
        Prototype = "s64 bpf_map_sum_elem_count(const struct bpf_map *map)")]
    internal static long SumElemCount(ProgContext ctx, ulong map) =>
        ctx.MapAt(map) is HashMapBase hash ? hash.TakeCensus().Live : 0;

    /// <summary>
    /// The kptr in a slot and the one that the program brings change places; the ledger sees both moves.
    /// </summary>
    [Helper(HelperId.KptrXchg)]
    internal static ulong KptrXchg(ProgContext ctx, ulong slot, ulong next)
    {
        _ = ctx.KernelMemory(slot, sizeof(ulong));
        return ctx.Core.Ledger.ExchangeFromRun(slot, next, ctx);
    }
}
