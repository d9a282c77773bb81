using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Which registers fit which kind of argument.</content>
internal sealed partial class VerifierRun
{
    private static readonly RegType[] SockTypes =
        [RegType.PtrToSockCommon, RegType.PtrToSocket, RegType.PtrToTcpSock, RegType.PtrToXdpSock];

    private static readonly RegType[] BtfSockTypes =
        [.. SockTypes, RegType.PtrToBtfId, RegType.PtrToBtfId | RegType.PtrTrusted];

    private static readonly RegType[] MemTypes =
    [
        RegType.PtrToStack, RegType.PtrToPacket, RegType.PtrToPacketMeta, RegType.PtrToMapKey, RegType.PtrToMapValue,
        RegType.PtrToMem, RegType.PtrToMem | RegType.MemRingbuf, RegType.PtrToBuf,
        RegType.PtrToBtfId | RegType.PtrTrusted,
    ];

    private static readonly RegType[] EarlyMemTypes = MemTypes[..^1];
    private static readonly RegType[] LateMemTypes = [.. MemTypes, RegType.PtrToCtx];

    private static readonly RegType[] LocalTypes = [RegType.PtrToMapValue, LocalObject];

    private static readonly RegType[] LateXchgTypes =
        [.. LocalTypes, LocalObject | RegType.NonOwnRef, LocalObject | RegType.NonOwnRef | RegType.MemRcu];

    private static readonly RegType[] ScalarTypes = [RegType.Scalar];
    private static readonly RegType[] MapTypes = [RegType.ConstPtrToMap];
    private static readonly RegType[] CtxTypes = [RegType.PtrToCtx];
    private static readonly RegType[] SocketTypes = [RegType.PtrToSocket];
    private static readonly RegType[] RingbufTypes = [RegType.PtrToMem | RegType.MemRingbuf];
    private static readonly RegType[] FuncTypes = [RegType.PtrToFunc];
    private static readonly RegType[] StackTypes = [RegType.PtrToStack];
    private static readonly RegType[] MapValueTypes = [RegType.PtrToMapValue];
    private static readonly RegType[] DynptrTypes = [RegType.PtrToStack, RegType.ConstPtrToDynptr];

    private static readonly RegType[] BtfTypes =
        [RegType.PtrToBtfId, RegType.PtrToBtfId | RegType.PtrTrusted, RegType.PtrToBtfId | RegType.MemRcu];

    private static readonly RegType[] PercpuTypes =
    [
        RegType.PtrToBtfId | RegType.MemPercpu, RegType.PtrToBtfId | RegType.MemPercpu | RegType.MemRcu,
        RegType.PtrToBtfId | RegType.MemPercpu | RegType.PtrTrusted,
    ];

    // Keys and values of maps, where no other memory will do.
    private static readonly RegType[] MapMemTypes = MemTypes[..5];

    private RegType[] TypesFor(ArgKind kind) => kind switch
    {
        ArgKind.MapKey or ArgKind.MapValue when !Kernel.Profile.MapsTakeAnyMemory => MapMemTypes,
        ArgKind.MapKey or ArgKind.MapValue or ArgKind.Mem when !Kernel.Profile.ReadsObjectsAsMemory => EarlyMemTypes,
        ArgKind.MapKey or ArgKind.MapValue or ArgKind.Mem when Kernel.Profile.IndexesSyscallContext => LateMemTypes,
        ArgKind.MapKey or ArgKind.MapValue or ArgKind.Mem => MemTypes,
        ArgKind.ConstSize or ArgKind.ConstSizeOrZero or ArgKind.ConstAllocSizeOrZero or ArgKind.Scalar => ScalarTypes,
        ArgKind.ConstMapPtr => MapTypes,
        ArgKind.Ctx => CtxTypes,
        ArgKind.SockCommon => SockTypes,
        ArgKind.BtfIdSockCommon => BtfSockTypes,
        ArgKind.Socket => SocketTypes,
        ArgKind.BtfId => BtfTypes,
        ArgKind.KptrXchgDest when Kernel.Profile.ExchangesInsideGraphs => LateXchgTypes,
        ArgKind.SpinLock or ArgKind.KptrXchgDest => LocalTypes,
        ArgKind.RingbufMem => RingbufTypes,
        ArgKind.PercpuBtfId => PercpuTypes,
        ArgKind.Func => FuncTypes,
        ArgKind.Stack => StackTypes,
        ArgKind.ConstStr or ArgKind.Timer => MapValueTypes,
        ArgKind.Dynptr => DynptrTypes,
        _ => [],
    };

    private void CheckHelperRegType(int regno, HelperArg arg, HelperCallMeta meta)
    {
        var btf = arg.Base == ArgKind.BtfIdSockCommon ? "sock_common" : arg.Btf;
        CheckRegTypeFits(regno, arg, meta, btf is null ? 0 : -1, btf);
    }

    /// <summary>Kernel: <c>check_reg_type</c>.</summary>
    /// <param name="regno">The argument.</param>
    /// <param name="arg">What is expected.</param>
    /// <param name="meta">The call; empty for calls of global functions.</param>
    /// <param name="btfId">Kernel type expected of typed pointers; -1 to look <paramref name="btfName"/> up.</param>
    /// <param name="btfName">Name of the type.</param>
    private void CheckRegTypeFits(int regno, HelperArg arg, HelperCallMeta meta, int btfId, string? btfName)
    {
        ref readonly var reg = ref Reg(regno);
        var types = TypesFor(arg.Base);
        var type = FoldFlags(reg.Type, regno, arg, meta);
        if (Array.IndexOf(types, type) < 0)
        {
            Reject(DiagCode.CallArgType,
                $"R{regno} type={ExpectedName(reg.Type)} expected={string.Join(", ", types.Select(ExpectedName))}",
                regno, Errno.EACCES);
        }

        if (reg.Type.Base() != RegType.PtrToBtfId)
        {
            return;
        }

        if (ReferenceEquals(types, MemTypes) || ReferenceEquals(types, LateMemTypes))
        {
            if (!arg.Has(ArgKind.ReadOnly))
            {
                Reject(DiagCode.ReadOnlyWrite,
                    $"{meta.Fn?.Name}() may write into memory pointed by R{regno} type={RegTypeName(reg.Type)}",
                    regno, Errno.EACCES);
            }

            return;
        }

        CheckBtfArgType(regno, arg, meta, btfId, btfName);
    }

    // Memory of ring buffers was once the only memory that is allocated.
    private string ExpectedName(RegType type) => Kernel.Profile.TracksTrust
        ? RegTypeName(type) : RegTypeName(type).Replace("ringbuf_", "alloc_", StringComparison.Ordinal);

    private static RegType FoldFlags(RegType type, int regno, HelperArg arg, HelperCallMeta meta)
    {
        if (arg.Has(ArgKind.ReadOnly))
        {
            type &= ~RegType.MemRdOnly;
        }

        if (arg.Has(ArgKind.MaybeNull))
        {
            type &= ~RegType.MaybeNull;
        }

        if (arg.Base == ArgKind.Mem)
        {
            type &= ~RegType.DynptrMask;
        }

        if (meta.Id == HelperId.KptrXchg && type.Has(RegType.MemAlloc) && regno == 2)
        {
            type &= ~(RegType.MemAlloc | RegType.MemPercpu);
        }

        return type;
    }

    private void CheckBtfArgType(int regno, HelperArg arg, HelperCallMeta meta, int btfId, string? btfName)
    {
        const RegType btf = RegType.PtrToBtfId;
        ref readonly var reg = ref Reg(regno);
        switch (reg.Type)
        {
            case btf or (btf | RegType.PtrTrusted) or (btf | RegType.PtrTrusted | RegType.MaybeNull)
                or (btf | RegType.MemRcu)
                or (btf | RegType.MaybeNull) or (btf | RegType.MaybeNull | RegType.MemRcu):
                CheckKernelArgType(regno, arg, meta, btfId, btfName);
                break;
            case LocalObject or (LocalObject | RegType.MemPercpu) or (LocalObject | RegType.NonOwnRef)
                or (LocalObject | RegType.NonOwnRef | RegType.MemRcu):
                CheckLocalArgType(regno, meta);
                break;
            case (btf | RegType.MemPercpu) or (btf | RegType.MemPercpu | RegType.MemRcu)
                or (btf | RegType.MemPercpu | RegType.PtrTrusted):
                break;
            default:
                // The kernel has no rule for such a pointer, and so refuses it.
                Reject(DiagCode.CallArgType,
                    "verifier internal error: invalid PTR_TO_BTF_ID register for type match", regno, Errno.EFAULT);
                break;
        }
    }

    private void CheckLocalArgType(int regno, HelperCallMeta meta)
    {
        if (meta.Id is not (HelperId.SpinLock or HelperId.SpinUnlock or HelperId.KptrXchg))
        {
            Reject(DiagCode.CallArgType, "verifier internal error: unimplemented handling of MEM_ALLOC",
                regno, Errno.EFAULT);
        }

        if (meta.Id == HelperId.KptrXchg && regno == 2)
        {
            CheckKptrMatchesType(meta.Kptr!, Reg(regno), regno);
        }
    }

    private void CheckKernelArgType(int regno, HelperArg arg, HelperCallMeta meta, int btfId, string? btfName)
    {
        ref readonly var reg = ref Reg(regno);
        if (reg.Type.MayBeNull() && (!arg.Has(ArgKind.MaybeNull) || arg.Has(ArgKind.Release)))
        {
            Reject(DiagCode.NullDereference,
                $"Possibly NULL pointer passed to helper {HelperArgName(regno)}", regno, Errno.EACCES);
        }

        if (meta.Id == HelperId.KptrXchg)
        {
            CheckKptrMatchesType(meta.Kptr!, reg, regno);
            return;
        }

        var expected = btfId >= 0 && btfName is null ? btfId : RequireKernelStruct(btfName!);
        var strict = arg.Has(ArgKind.Release) && meta.Id != HelperId.SkRelease;
        if (!BtfStructWalk.IdsMatch(
            this, reg.Btf!, reg.BtfId, reg.Off, Vmlinux, expected, strict, walkFlexArrays: true))
        {
            Reject(DiagCode.CallArgType,
                $"R{regno} is of type {reg.Btf![reg.BtfId].Name} but {Vmlinux[expected].Name} is expected",
                regno, Errno.EACCES);
        }
    }
}
