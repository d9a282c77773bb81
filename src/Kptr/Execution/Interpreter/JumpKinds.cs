using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>
/// A conditional jump as a type, so that a handler is compiled for it; when it is taken is Isa's to say.
/// </summary>
internal interface IJump
{
    static abstract bool IsTaken(ulong dst, ulong src);
}

internal readonly struct Jeq64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jeq, d, s); }
internal readonly struct Jne64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jne, d, s); }
internal readonly struct Jgt64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jgt, d, s); }
internal readonly struct Jge64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jge, d, s); }
internal readonly struct Jlt64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jlt, d, s); }
internal readonly struct Jle64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jle, d, s); }
internal readonly struct Jset64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jset, d, s); }
internal readonly struct Jsgt64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jsgt, d, s); }
internal readonly struct Jsge64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jsge, d, s); }
internal readonly struct Jslt64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jslt, d, s); }
internal readonly struct Jsle64 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken64(BpfOp.Jsle, d, s); }
internal readonly struct Jeq32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jeq, (uint)d, (uint)s); }
internal readonly struct Jne32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jne, (uint)d, (uint)s); }
internal readonly struct Jgt32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jgt, (uint)d, (uint)s); }
internal readonly struct Jge32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jge, (uint)d, (uint)s); }
internal readonly struct Jlt32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jlt, (uint)d, (uint)s); }
internal readonly struct Jle32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jle, (uint)d, (uint)s); }
internal readonly struct Jset32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jset, (uint)d, (uint)s); }
internal readonly struct Jsgt32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jsgt, (uint)d, (uint)s); }
internal readonly struct Jsge32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jsge, (uint)d, (uint)s); }
internal readonly struct Jslt32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jslt, (uint)d, (uint)s); }
internal readonly struct Jsle32 : IJump { public static bool IsTaken(ulong d, ulong s) =>
    JumpOps.IsTaken32(BpfOp.Jsle, (uint)d, (uint)s); }

/// <summary>Which way a jump leads, as a type: only backward ones cost fuel.</summary>
internal interface IDirection
{
    static abstract bool IsBack { get; }
}

internal readonly struct Forward : IDirection { public static bool IsBack => false; }
internal readonly struct Backward : IDirection { public static bool IsBack => true; }
