using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Ring buffers in both directions, and perf event output. Kernel: kernel/bpf/ringbuf.c, 6.12.</summary>
internal static class RingBufHelpers
{
    private const ulong WakeupFlags = 3;
    private const int UserSamplesMax = 128 * 1024;
    private const ulong PerfIndexMask = 0xffff_ffff;
    private const ulong CurrentCpuIndex = 0xffff_ffff;

    [Helper(HelperId.RingbufOutput)]
    internal static Errno Output(ProgContext ctx, ulong map, ulong data, ulong size, ulong flags) =>
        (flags & ~WakeupFlags) != 0
            ? Errno.EINVAL
            : RingAt(ctx, map).Output(ctx.Memory(data, (int)size, isWrite: false), (RingWakeup)flags);

    [Helper(HelperId.RingbufReserve)]
    internal static ulong Reserve(ProgContext ctx, ulong map, ulong size, ulong flags) =>
        flags != 0 ? 0 : RingAt(ctx, map).Reserve(size);

    [Helper(HelperId.RingbufSubmit)]
    internal static void Submit(ProgContext ctx, ulong record, ulong flags) =>
        RingOf(ctx, record).Commit(record, isDiscarded: false, WakeupOf(flags));

    [Helper(HelperId.RingbufDiscard)]
    internal static void Discard(ProgContext ctx, ulong record, ulong flags) =>
        RingOf(ctx, record).Commit(record, isDiscarded: true, WakeupOf(flags));

    [Helper(HelperId.RingbufQuery)]
    internal static ulong Query(ProgContext ctx, ulong map, ulong what) => RingAt(ctx, map).Query(what);

    [Helper(HelperId.RingbufReserveDynptr)]
    internal static Errno ReserveDynptr(ProgContext ctx, ulong map, uint size, ulong flags, ulong ptr)
    {
        var result = flags != 0 ? Errno.EINVAL : size > Dynptr.SizeMax ? Errno.E2BIG : Errno.None;
        var record = result == Errno.None ? RingAt(ctx, map).Reserve(size) : 0;
        (record == 0 ? default : new Dynptr(record, DynptrType.Ringbuf, size)).Write(ctx, ptr);
        return result == Errno.None && record == 0 ? Errno.EINVAL : result;
    }

    [Helper(HelperId.RingbufSubmitDynptr)]
    internal static void SubmitDynptr(ProgContext ctx, ulong ptr, ulong flags) =>
        CommitDynptr(ctx, ptr, flags, isDiscarded: false);

    [Helper(HelperId.RingbufDiscardDynptr)]
    internal static void DiscardDynptr(ProgContext ctx, ulong ptr, ulong flags) =>
        CommitDynptr(ctx, ptr, flags, isDiscarded: true);

    /// <summary>Gives each record that user space posted to a callback, as a dynptr.</summary>
    [Helper(HelperId.UserRingbufDrain)]
    internal static long UserDrain(ProgContext ctx, ulong map, ulong callback, ulong callbackCtx, ulong flags)
    {
        var ring = ctx.MapAt(map) as UserRingBufMap ?? throw NotARing(map);
        if ((flags & ~WakeupFlags) != 0)
        {
            return (long)Errno.EINVAL;
        }

        if (!ring.TryBeginDrain())
        {
            return (long)Errno.EBUSY;
        }

        try
        {
            var samples = 0L;
            for (var isDone = false; !isDone && samples < UserSamplesMax && ring.TryTake(out var record); samples++)
            {
                isDone = Call(ctx, record, callback, callbackCtx) != 0;
            }

            return samples;
        }
        finally
        {
            ring.EndDrain();
        }
    }

    [Helper(HelperId.PerfEventOutput)]
    internal static Errno PerfEventOutput(
        ProgContext ctx, ulong programCtx, ulong map, ulong flags, ulong data, ulong size)
    {
        _ = programCtx;
        var events = ctx.MapAt(map) as PerfEventArrayMap ?? throw NotARing(map);
        var index = flags & PerfIndexMask;
        return (flags & ~PerfIndexMask) != 0
            ? Errno.EINVAL
            : events.Output(index == CurrentCpuIndex ? (uint)ctx.Cpu : (uint)index,
                ctx.Memory(data, (int)size, isWrite: false));
    }

    private static ulong Call(ProgContext ctx, byte[] record, ulong callback, ulong callbackCtx)
    {
        const int dynptrBytes = 16;
        var block = ctx.Core.Heap.AllocateBlock("user ring buffer sample", dynptrBytes + Math.Max(8, record.Length));
        try
        {
            record.CopyTo(ctx.KernelMemory(block + dynptrBytes, record.Length));
            new Dynptr(block + dynptrBytes, DynptrType.Local, (uint)record.Length).Write(ctx, block);
            return ctx.Callbacks.Call(callback, block, callbackCtx);
        }
        finally
        {
            ctx.Core.Heap.TryFree(block);
        }
    }

    private static void CommitDynptr(ProgContext ctx, ulong at, ulong flags, bool isDiscarded)
    {
        var ptr = Dynptr.Read(ctx, at);
        if (!ptr.IsNull)
        {
            RingOf(ctx, ptr.Data).Commit(ptr.Data, isDiscarded, WakeupOf(flags));
            default(Dynptr).Write(ctx, at);
        }
    }

    // Submit and discard look at these two and let any other bit pass.
    private static RingWakeup WakeupOf(ulong flags) => (RingWakeup)(flags & WakeupFlags);

    private static RingBufMap RingAt(ProgContext ctx, ulong map) => ctx.MapAt(map) as RingBufMap ?? throw NotARing(map);

    private static RingBufMap RingOf(ProgContext ctx, ulong record) =>
        ctx.Core.Heap.TryFindRegion(record, 0, out var region) && region.Slab.Owner is RingBufMap ring
            ? ring
            : throw new ProgramFaultException(DiagCode.CallBadObject, $"{record:x} is no ring buffer record");

    private static ProgramFaultException NotARing(ulong map) =>
        new(DiagCode.CallBadObject, $"the map at {map:x} is of another type");
}
