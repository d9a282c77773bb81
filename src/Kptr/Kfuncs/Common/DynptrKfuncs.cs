using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Dynptrs over memory, ring buffer records and packets. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
[KfuncSet(KfuncHooks.Common)]
internal static class DynptrKfuncs
{
    [Helper(HelperId.DynptrFromMem)]
    internal static Errno FromMem(ProgContext ctx, ulong data, uint size, ulong flags, ulong ptr)
    {
        var result = size > Dynptr.SizeMax ? Errno.E2BIG : flags != 0 ? Errno.EINVAL : Errno.None;
        var made = result == Errno.None ? new Dynptr(data, DynptrType.Local, size) : default;
        made.Write(ctx, ptr);
        return result;
    }

    [Helper(HelperId.DynptrRead)]
    internal static Errno Read(ProgContext ctx, ulong dst, uint length, ulong src, uint offset, ulong flags)
    {
        var ptr = Dynptr.Read(ctx, src);
        if (ptr.IsNull || flags != 0)
        {
            return Errno.EINVAL;
        }

        var result = ptr.CheckRange(offset, length);
        if (result == Errno.None)
        {
            ctx.Memory(ptr.Start(ctx) + offset, (int)length, isWrite: false).CopyTo(ctx.Memory(dst, (int)length));
        }

        return result;
    }

    [Helper(HelperId.DynptrWrite)]
    internal static Errno Write(ProgContext ctx, ulong dst, uint offset, ulong src, uint length, ulong flags)
    {
        var ptr = Dynptr.Read(ctx, dst);
        if (ptr.IsNull || ptr.IsRdOnly)
        {
            return Errno.EINVAL;
        }

        var result = ptr.CheckRange(offset, length);
        if (result != Errno.None || (flags != 0 && ptr.Type != DynptrType.Skb))
        {
            return result != Errno.None ? result : Errno.EINVAL;
        }

        ctx.Memory(src, (int)length, isWrite: false).CopyTo(ctx.Memory(ptr.Start(ctx) + offset, (int)length));
        return Errno.None;
    }

    [Helper(HelperId.DynptrData)]
    internal static ulong Data(ProgContext ctx, ulong at, uint offset, uint length)
    {
        var ptr = Dynptr.Read(ctx, at);
        return ptr.IsNull || ptr.IsRdOnly || ptr.IsPacket
            || ptr.CheckRange(offset, length) != Errno.None ? 0 : ptr.Start(ctx) + offset;
    }

    [Kfunc("bpf_dynptr_slice", KfuncFlags.RetNull,
        Prototype = "void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, "
            + "void *buffer__opt, u32 buffer__szk)")]
    internal static ulong Slice(ProgContext ctx, ulong at, uint offset, ulong buffer, uint length)
    {
        _ = buffer; // only for packets in several parts, and the model's are in one
        var ptr = Dynptr.Read(ctx, at);
        return ptr.IsNull || ptr.CheckRange(offset, length) != Errno.None ? 0 : ptr.Start(ctx) + offset;
    }

    [Kfunc("bpf_dynptr_slice_rdwr", KfuncFlags.RetNull,
        Prototype = "void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, u32 offset, "
            + "void *buffer__opt, u32 buffer__szk)")]
    internal static ulong SliceRdwr(ProgContext ctx, ulong at, uint offset, ulong buffer, uint length) =>
        Dynptr.Read(ctx, at).IsRdOnly ? 0 : Slice(ctx, at, offset, buffer, length);

    [Kfunc("bpf_dynptr_adjust",
        Prototype = "int bpf_dynptr_adjust(const struct bpf_dynptr *p, u32 start, u32 end)")]
    internal static Errno Adjust(ProgContext ctx, ulong at, uint start, uint end)
    {
        var ptr = Dynptr.Read(ctx, at);
        if (ptr.IsNull || start > end)
        {
            return Errno.EINVAL;
        }

        if (start > ptr.Size || end > ptr.Size)
        {
            return Errno.ERANGE;
        }

        ptr.Adjusted(start, end).Write(ctx, at);
        return Errno.None;
    }

    [Kfunc("bpf_dynptr_is_null",
        Prototype = "bool bpf_dynptr_is_null(const struct bpf_dynptr *p)")]
    internal static bool IsNull(ProgContext ctx, ulong at) => Dynptr.Read(ctx, at).IsNull;

    [Kfunc("bpf_dynptr_is_rdonly",
        Prototype = "bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p)")]
    internal static bool IsRdOnly(ProgContext ctx, ulong at) =>
        Dynptr.Read(ctx, at) is { IsNull: false, IsRdOnly: true };

    [Kfunc("bpf_dynptr_size",
        Prototype = "__u32 bpf_dynptr_size(const struct bpf_dynptr *p)")]
    internal static uint Size(ProgContext ctx, ulong at) =>
        Dynptr.Read(ctx, at) is { IsNull: false } ptr ? ptr.Size : unchecked((uint)Errno.EINVAL);

    [Kfunc("bpf_dynptr_clone",
        Prototype = "int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit)")]
    internal static Errno Clone(ProgContext ctx, ulong at, ulong clone)
    {
        var ptr = Dynptr.Read(ctx, at);
        (ptr.IsNull ? default : ptr).Write(ctx, clone);
        return ptr.IsNull ? Errno.EINVAL : Errno.None;
    }
}
