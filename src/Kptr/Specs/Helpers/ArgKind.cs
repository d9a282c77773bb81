namespace Kptr.Specs;

/// <summary>What a helper wants in one argument: a base kind in the low eight bits, modifiers above.</summary>
/// <remarks>
/// Kernel: <c>enum bpf_arg_type</c> with <c>enum bpf_type_flag</c> (include/linux/bpf.h, 6.12); the modifiers have the
/// bits that the verifier's register types have.
/// </remarks>
[Flags]
internal enum ArgKind : uint
{
    /// <summary>Unused; the register is not looked at.</summary>
    None = 0,

    /// <summary>A map, known at load time.</summary>
    ConstMapPtr = 1,
    MapKey = 2,
    MapValue = 3,

    /// <summary>Memory whose size the next argument says.</summary>
    Mem = 4,
    Arena = 5,

    /// <summary>Bytes behind the <see cref="Mem"/> argument before it.</summary>
    ConstSize = 6,
    ConstSizeOrZero = 7,
    Ctx = 8,
    Anything = 9,
    Scalar = 10,
    SpinLock = 11,
    SockCommon = 12,
    Socket = 13,

    /// <summary>A typed kernel pointer; the type is in <see cref="HelperArg.Btf"/>.</summary>
    BtfId = 14,
    RingbufMem = 15,
    ConstAllocSizeOrZero = 16,
    BtfIdSockCommon = 17,
    PercpuBtfId = 18,
    Func = 19,
    Stack = 20,
    ConstStr = 21,
    Timer = 22,
    KptrXchgDest = 23,
    Dynptr = 24,

    BaseMask = 0xff,

    MaybeNull = 1u << 8,
    ReadOnly = 1u << 9,

    /// <summary>The helper takes the reference over.</summary>
    Release = 1u << 13,

    /// <summary>The memory need not be initialised.</summary>
    Uninit = 1u << 15,
    DynptrLocal = 1u << 16,
    DynptrRingbuf = 1u << 17,

    /// <summary>The memory's size is in <see cref="HelperArg.SizeBytes"/>.</summary>
    FixedSize = 1u << 18,
    DynptrSkb = 1u << 23,
    DynptrXdp = 1u << 24,
    Aligned = 1u << 25,

    /// <summary>The helper writes the memory.</summary>
    Write = 1u << 26,
}

/// <summary>What a helper returns: a base kind in the low eight bits, modifiers above.</summary>
/// <remarks>Kernel: <c>enum bpf_return_type</c>.</remarks>
[Flags]
internal enum RetKind : uint
{
    Integer = 0,
    Void = 1,
    MapValue = 2,
    Socket = 3,
    TcpSock = 4,
    SockCommon = 5,
    Mem = 6,

    /// <summary>Memory or a typed pointer, by the type of the variable asked for.</summary>
    MemOrBtfId = 7,

    /// <summary>A typed kernel pointer; the type is in <see cref="HelperSpec.RetBtf"/>.</summary>
    BtfId = 8,

    BaseMask = 0xff,
    MaybeNull = 1u << 8,
    ReadOnly = 1u << 9,
    Ringbuf = 1u << 10,
    Trusted = 1u << 20,
}
