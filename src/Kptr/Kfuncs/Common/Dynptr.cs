using Kptr.Diagnostics;

namespace Kptr.Kfuncs;

/// <summary>What a dynptr points to; the numbers of <c>enum bpf_dynptr_type</c>.</summary>
internal enum DynptrType
{
    Invalid,
    Local,
    Ringbuf,
    Skb,
    Xdp,
}

/// <summary>The content of a <c>struct bpf_dynptr</c> on a program's stack.</summary>
/// <remarks>
/// <code>
/// 0  address of the data, 0 in a null dynptr
/// 8  size (24 bits), type (bits 28..30), read-only (bit 31)
/// 12 offset of the window in the data
/// </code>
/// Kernel: <c>struct bpf_dynptr_kern</c> (include/linux/bpf.h, 6.12).
/// </remarks>
internal readonly record struct Dynptr(ulong Data, uint SizeAndType, uint Offset)
{
    /// <summary>Largest size a dynptr can have.</summary>
    internal const uint SizeMax = (1u << 24) - 1;

    private const int TypeShift = 28;
    private const uint RdOnlyBit = 1u << 31;

    internal Dynptr(ulong data, DynptrType type, uint size, bool isRdOnly = false)
        : this(data, size | ((uint)type << TypeShift) | (isRdOnly ? RdOnlyBit : 0), 0)
    {
    }

    internal bool IsNull => Data == 0;

    internal bool IsRdOnly => (SizeAndType & RdOnlyBit) != 0;

    internal uint Size => SizeAndType & SizeMax;

    internal DynptrType Type => (DynptrType)((SizeAndType & ~RdOnlyBit) >> TypeShift);

    /// <summary>
    /// Whether it is over a packet, whose bytes may move: then <see cref="Data"/> is the packet's context.
    /// </summary>
    internal bool IsPacket => !IsNull && Type is DynptrType.Skb or DynptrType.Xdp;

    /// <summary>Address of the first byte of the window, now.</summary>
    internal ulong Start(ProgContext ctx) => (IsPacket ? ctx.PacketAt(Data).Data : Data) + Offset;

    internal static Dynptr Read(ProgContext ctx, ulong at) =>
        new(ctx.Read<ulong>(at), ctx.Read<uint>(at + 8), ctx.Read<uint>(at + 12));

    internal void Write(ProgContext ctx, ulong at)
    {
        ctx.Write(at, Data);
        ctx.Write(at + 8, SizeAndType);
        ctx.Write(at + 12, Offset);
    }

    /// <summary>Whether these bytes lie in the window; <c>-E2BIG</c> if not.</summary>
    internal Errno CheckRange(uint offset, uint length) =>
        length > Size || offset > Size - length ? Errno.E2BIG : Errno.None;

    /// <summary>The window cut to <paramref name="start"/>..<paramref name="end"/>.</summary>
    internal Dynptr Adjusted(uint start, uint end) =>
        this with { Offset = Offset + start, SizeAndType = (SizeAndType & ~SizeMax) | (end - start) };
}
