using Kptr.Specs;

namespace Kptr.Verifier.State;

/// <summary>What a register or a spilled slot holds: a base type in the low eight bits, modifiers above.</summary>
/// <remarks>Kernel: <c>enum bpf_reg_type</c> and <c>enum bpf_type_flag</c> (include/linux/bpf.h, 6.12).</remarks>
[Flags]
internal enum RegType : uint
{
    NotInit = 0,
    Scalar = 1,
    PtrToCtx = 2,
    ConstPtrToMap = 3,
    PtrToMapValue = 4,
    PtrToMapKey = 5,
    PtrToStack = 6,
    PtrToPacketMeta = 7,
    PtrToPacket = 8,
    PtrToPacketEnd = 9,
    PtrToFlowKeys = 10,
    PtrToSocket = 11,
    PtrToSockCommon = 12,
    PtrToTcpSock = 13,
    PtrToTpBuffer = 14,
    PtrToXdpSock = 15,
    PtrToBtfId = 16,
    PtrToMem = 17,
    PtrToArena = 18,
    PtrToBuf = 19,
    PtrToFunc = 20,
    ConstPtrToDynptr = 21,

    BaseMask = 0xff,

    MaybeNull = 1u << 8,
    MemRdOnly = 1u << 9,
    MemRingbuf = 1u << 10,
    MemUser = 1u << 11,
    MemPercpu = 1u << 12,
    ObjRelease = 1u << 13,
    PtrUntrusted = 1u << 14,
    MemUninit = 1u << 15,
    DynptrLocal = 1u << 16,
    DynptrRingbuf = 1u << 17,
    MemFixedSize = 1u << 18,
    MemAlloc = 1u << 19,
    PtrTrusted = 1u << 20,
    MemRcu = 1u << 21,
    NonOwnRef = 1u << 22,
    DynptrSkb = 1u << 23,
    DynptrXdp = 1u << 24,
    MemAligned = 1u << 25,
    MemWrite = 1u << 26,
    DynptrSkbMeta = 1u << 27,

    /// <summary>Modifiers that make a pointer safe to hand to kfuncs (<c>BPF_REG_TRUSTED_MODIFIERS</c>).</summary>
    TrustedModifiers = MemAlloc | PtrTrusted | NonOwnRef,

    /// <summary>Modifiers that say which kind of dynptr (<c>DYNPTR_TYPE_FLAG_MASK</c>).</summary>
    DynptrMask = DynptrLocal | DynptrRingbuf | DynptrSkb | DynptrXdp | DynptrSkbMeta,
}

/// <summary>Questions about a <see cref="RegType"/>.</summary>
internal static class RegTypes
{
    /// <summary>Modifiers that a kernel does not have.</summary>
    public static RegType UntrackedBy(KernelProfile profile) =>
        profile.TracksTrust ? 0 : RegType.PtrTrusted | RegType.MemRcu;

    public static RegType Base(this RegType type) => type & RegType.BaseMask;

    public static RegType Flags(this RegType type) => type & ~RegType.BaseMask;

    public static bool Has(this RegType type, RegType flag) => (type & flag) != 0;

    public static bool MayBeNull(this RegType type) => (type & RegType.MaybeNull) != 0;

    /// <summary>Kernel: <c>type_is_pkt_pointer</c>.</summary>
    public static bool IsPacket(this RegType type) => type.Base() is RegType.PtrToPacket or RegType.PtrToPacketMeta;

    /// <summary>Kernel: <c>type_is_sk_pointer</c>.</summary>
    public static bool IsSock(this RegType type) =>
        type is RegType.PtrToSocket or RegType.PtrToSockCommon or RegType.PtrToTcpSock or RegType.PtrToXdpSock;

    /// <summary>
    /// Kernel: <c>type_is_ptr_alloc_obj</c>: a local object, owned or not, that something keeps; not one that only an
    /// RCU section kept, which has ended.
    /// </summary>
    public static bool IsAllocObj(this RegType type) => type.Base() == RegType.PtrToBtfId && type.Has(RegType.MemAlloc)
        && !type.Has(RegType.PtrUntrusted);

    /// <summary>Kernel: <c>type_is_non_owning_ref</c>.</summary>
    public static bool IsNonOwningRef(this RegType type) => type.IsAllocObj() && type.Has(RegType.NonOwnRef);

    /// <summary>Kernel: <c>type_is_rcu</c>.</summary>
    public static bool IsRcu(this RegType type) => type.Has(RegType.MemRcu);

    /// <summary>Kernel: <c>type_is_rdonly_mem</c>.</summary>
    public static bool IsReadOnly(this RegType type) => type.Has(RegType.MemRdOnly);
}
