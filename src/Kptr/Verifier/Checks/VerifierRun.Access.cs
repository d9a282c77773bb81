using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>Memory accesses, by the kind of pointer they go through.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Checks one access and, for a load, sets the loaded register (<c>check_mem_access</c>).</summary>
    /// <param name="regno">The pointer.</param>
    /// <param name="off">Offset of the instruction.</param>
    /// <param name="size">Bytes: 1, 2, 4 or 8.</param>
    /// <param name="write">Store or load.</param>
    /// <param name="valueRegno">Register stored or loaded; -1 for none.</param>
    /// <param name="strictOnce">Ask for alignment whatever the options say.</param>
    /// <param name="isLdsx">A sign-extending load.</param>
    public void CheckMemAccess(int regno, int off, int size, bool write, int valueRegno, bool strictOnce = false, bool isLdsx = false)
    {
        ref var reg = ref Reg(regno);
        CheckPtrAlignment(reg, off, size, strictOnce);
        off += reg.Off;
        if (!TryCheckAccessByBase(regno, ref reg, off, size, write, valueRegno, isLdsx))
        {
            RejectInvalidMem(regno, reg);
        }

        if (size < 8 && valueRegno >= 0 && !write && Reg(valueRegno).Type == RegType.Scalar)
        {
            ref var value = ref Reg(valueRegno).Var;
            if (isLdsx)
            {
                value.SignExtend64(size);
            }
            else
            {
                value.Truncate(size);
            }
        }
    }

    private void RejectInvalidMem(int regno, in RegState reg)
    {
        var code = reg.Type.MayBeNull() ? DiagCode.NullDereference : DiagCode.MemAccessInvalid;
        Reject(code, $"R{regno} invalid mem access '{RegTypeName(reg.Type)}'", regno, Errno.EACCES);
    }

    /// <returns>False when this kind of pointer cannot be accessed at all.</returns>
    private bool TryCheckAccessByBase(int regno, ref RegState reg, int off, int size, bool write, int valueRegno, bool isLdsx)
    {
        switch (reg.Type)
        {
            case RegType.PtrToMapKey:
                CheckMapKeyAccess(regno, reg, off, size, write, valueRegno);
                return true;
            case RegType.PtrToMapValue:
                CheckMapValueAccess(regno, ref reg, off, size, write, valueRegno, isLdsx);
                return true;
            case RegType.PtrToCtx:
                CheckCtxRegAccess(regno, reg, off, size, write, valueRegno, isLdsx);
                return true;
            case RegType.PtrToStack:
                CheckStackAccess(regno, off, size, write, valueRegno);
                return true;
            case RegType.PtrToFlowKeys:
                CheckFlowKeysAccess(off, size, write, valueRegno);
                return true;
            case RegType.PtrToTpBuffer:
                CheckBufferAccess("tracepoint", reg, regno, off, size);
                MarkLoaded(write, valueRegno);
                return true;
            case RegType.ConstPtrToMap:
                CheckMapPtrAccess(regno, reg, off, size, write, valueRegno);
                return true;
            case RegType.PtrToArena:
                MarkLoaded(write, valueRegno);
                return true;
            default:
                return TryCheckFlaggedAccess(regno, ref reg, off, size, write, valueRegno);
        }
    }

    private bool TryCheckFlaggedAccess(int regno, ref RegState reg, int off, int size, bool write, int valueRegno)
    {
        if (reg.Type.Base() == RegType.PtrToMem)
        {
            CheckMemRegAccess(regno, reg, off, size, write, valueRegno);
            return true;
        }

        if (reg.Type.IsPacket() && reg.Type.Flags() == 0)
        {
            CheckPacketRegAccess(regno, off, size, write, valueRegno);
            return true;
        }

        if (reg.Type.IsSock())
        {
            CheckSockAccess(regno, reg, off, size, write, valueRegno);
            return true;
        }

        if (reg.Type.MayBeNull())
        {
            return false;
        }

        if (reg.Type.Base() == RegType.PtrToBtfId)
        {
            CheckBtfAccess(regno, off, size, write, valueRegno);
            return true;
        }

        if (reg.Type.Base() != RegType.PtrToBuf)
        {
            return false;
        }

        if (write && reg.Type.IsReadOnly())
        {
            RejectReadOnly(regno, reg);
        }

        CheckBufferAccess(reg.Type.IsReadOnly() ? "rdonly" : "rdwr", reg, regno, off, size);
        MarkLoaded(write && !reg.Type.IsReadOnly(), valueRegno);
        return true;
    }

    private void RejectReadOnly(int regno, in RegState reg) =>
        Reject(DiagCode.ReadOnlyWrite, $"R{regno} cannot write into {RegTypeName(reg.Type)}", regno, Errno.EACCES);

    private void MarkLoaded(bool write, int valueRegno)
    {
        if (!write && valueRegno >= 0)
        {
            MarkRegUnknown(valueRegno);
        }
    }

    private bool IsPointerValue(int regno) => !AllowPtrLeaks && Reg(regno).Type != RegType.Scalar;

    private void CheckLeak(bool write, int valueRegno, string where)
    {
        if (write && valueRegno >= 0 && IsPointerValue(valueRegno))
        {
            Reject(DiagCode.PtrLeak, $"R{valueRegno} leaks addr into {where}", valueRegno, Errno.EACCES);
        }
    }

    private void CheckMapKeyAccess(int regno, in RegState reg, int off, int size, bool write, int valueRegno)
    {
        if (write)
        {
            Reject(DiagCode.ReadOnlyWrite, $"write to change key R{regno} not allowed", regno, Errno.EACCES);
        }

        CheckMemRegion(regno, off, size, (uint)reg.Map!.KeySize, zeroSizeAllowed: false);
        MarkLoaded(write, valueRegno);
    }

    private void CheckMemRegAccess(int regno, in RegState reg, int off, int size, bool write, int valueRegno)
    {
        if (reg.Type.MayBeNull())
        {
            RejectInvalidMem(regno, reg);
        }

        if (write && reg.Type.IsReadOnly())
        {
            RejectReadOnly(regno, reg);
        }

        CheckLeak(write, valueRegno, "mem");
        CheckMemRegion(regno, off, size, (uint)reg.MemSize, zeroSizeAllowed: false);
        MarkLoaded(write && !reg.Type.IsReadOnly(), valueRegno);
    }

    private void CheckCtxRegAccess(int regno, in RegState reg, int off, int size, bool write, int valueRegno, bool isLdsx)
    {
        CheckLeak(write, valueRegno, "ctx");
        CheckPtrOffReg(reg, regno, fixedOffOk: false);
        if (CheckCtx(off, size, write, isLdsx) is not { } access)
        {
            Reject(DiagCode.CtxAccessInvalid, $"invalid bpf_context access off={off} size={size}", regno, Errno.EACCES);
            return;
        }

        if (write || valueRegno < 0)
        {
            return;
        }

        ref var value = ref Reg(valueRegno);
        if (access.Type == RegType.Scalar)
        {
            value.MarkUnknown(AlwaysPrecise);
            if (access.IsRetval && RetvalRange() is { } range)
            {
                value.Var.ClampS32(range.Min, range.Max);
            }

            return;
        }

        value.MarkKnownZero(access.Type);
        if (access.Type.MayBeNull())
        {
            value.Id = NewId();
        }

        if (access.Type.Base() == RegType.PtrToBtfId)
        {
            value.Btf = access.Btf;
            value.BtfId = access.BtfId;
        }
    }

    private void CheckFlowKeysAccess(int off, int size, bool write, int valueRegno)
    {
        CheckLeak(write, valueRegno, "flow keys");
        if (off < 0 || off + size > FlowKeysBytes)
        {
            Reject(DiagCode.MemAccessInvalid, $"invalid access to flow keys off={off} size={size}", errno: Errno.EACCES);
        }

        MarkLoaded(write, valueRegno);
    }

    /// <summary><c>sizeof(struct bpf_flow_keys)</c></summary>
    private const int FlowKeysBytes = 56;

    private void CheckBufferAccess(string what, in RegState reg, int regno, int off, int size)
    {
        if (off < 0)
        {
            Reject(DiagCode.MemAccessInvalid, $"R{regno} invalid {what} buffer access: off={off}, size={size}", regno, Errno.EACCES);
        }

        if (!reg.Var.IsConstEqual(0))
        {
            Reject(DiagCode.MemAccessInvalid,
                $"R{regno} invalid variable buffer offset: off={off}, var_off={Tn(reg)}", regno, Errno.EACCES);
        }
    }

    /// <summary>The pointer must be as it was given: no offset unless allowed, never a variable one.</summary>
    public void CheckPtrOffReg(in RegState reg, int regno, bool fixedOffOk)
    {
        if (reg.Off < 0)
        {
            Reject(DiagCode.PtrModified,
                $"negative offset {RegTypeName(reg.Type)} ptr R{regno} off={reg.Off} disallowed", regno, Errno.EACCES);
        }

        if (!fixedOffOk && reg.Off != 0)
        {
            Reject(DiagCode.PtrModified,
                $"dereference of modified {RegTypeName(reg.Type)} ptr R{regno} off={reg.Off} disallowed", regno, Errno.EACCES);
        }

        if (!reg.Var.IsConstEqual(0))
        {
            Reject(DiagCode.PtrModified,
                $"variable {RegTypeName(reg.Type)} access var_off={Tn(reg)} disallowed", regno, Errno.EACCES);
        }
    }

    /// <summary>Bytes [off, off+size) and every variable offset stay inside a region (<c>check_mem_region_access</c>).</summary>
    public void CheckMemRegion(int regno, int off, int size, uint memSize, bool zeroSizeAllowed)
    {
        ref readonly var v = ref Reg(regno).Var;
        if (v.SMin < 0 && (v.SMin == long.MinValue || off + v.SMin != (int)(off + v.SMin) || v.SMin + off < 0))
        {
            RejectNegativeMin(regno);
        }

        if (!IsInside(v.SMin + off, size, memSize, zeroSizeAllowed))
        {
            Log.Line(OutsideMessage(regno, (int)(v.SMin + off), size, memSize));
            Reject(DiagCode.MemAccessInvalid, $"R{regno} min value is outside of the allowed memory range", regno, Errno.EACCES);
        }

        if (v.UMax >= Limits.MaxVarOff)
        {
            Reject(DiagCode.MemAccessInvalid,
                $"R{regno} unbounded memory access, make sure to bounds check any such access", regno, Errno.EACCES);
        }

        if (!IsInside((long)v.UMax + off, size, memSize, zeroSizeAllowed))
        {
            Log.Line(OutsideMessage(regno, (int)((long)v.UMax + off), size, memSize));
            Reject(DiagCode.MemAccessInvalid, $"R{regno} max value is outside of the allowed memory range", regno, Errno.EACCES);
        }
    }

    private void RejectNegativeMin(int regno) => Reject(DiagCode.MemAccessInvalid,
        $"R{regno} min value is negative, either use unsigned index or do a if (index >=0) check.", regno, Errno.EACCES);

    /// <summary>Kernel: <c>__check_mem_access</c>, whose offset is an int.</summary>
    private static bool IsInside(long offset, int size, uint memSize, bool zeroSizeAllowed)
    {
        var off = (int)offset;
        return off >= 0 && (size > 0 || (size == 0 && zeroSizeAllowed)) && (ulong)off + (ulong)size <= memSize;
    }

    private string OutsideMessage(int regno, int off, int size, uint memSize)
    {
        ref readonly var reg = ref Reg(regno);
        return reg.Type switch
        {
            RegType.PtrToMapKey => $"invalid access to map key, key_size={memSize} off={off} size={size}",
            RegType.PtrToMapValue => $"invalid access to map value, value_size={memSize} off={off} size={size}",
            RegType.PtrToPacket or RegType.PtrToPacketMeta or RegType.PtrToPacketEnd =>
                $"invalid access to packet, off={off} size={size}, R{regno}(id={reg.Id},off={off},r={(int)memSize})",
            _ => $"invalid access to memory, mem_size={memSize} off={off} size={size}",
        };
    }

    private void CheckPtrAlignment(in RegState reg, int off, int size, bool strictOnce)
    {
        if (size == 1 || reg.Type == RegType.PtrToArena)
        {
            return;
        }

        var strict = StrictAlignment || strictOnce || reg.Type == RegType.PtrToStack;
        var isPacket = reg.Type is RegType.PtrToPacket or RegType.PtrToPacketMeta;
        const int netIpAlign = 2;
        var fixedOff = (long)reg.Off + off + (isPacket ? netIpAlign : 0);
        if (!strict || (reg.Var.Bits + Scalars.Tnum.Const((ulong)fixedOff)).IsAligned((ulong)size))
        {
            return;
        }

        if (isPacket)
        {
            Reject(DiagCode.Misaligned,
                $"misaligned packet access off {netIpAlign}+{Tn(reg)}+{reg.Off}+{off} size {size}", errno: Errno.EACCES);
        }

        Reject(DiagCode.Misaligned,
            $"misaligned {AlignmentName(reg.Type)}access off {Tn(reg)}+{reg.Off}+{off} size {size}", errno: Errno.EACCES);
    }

    private static string AlignmentName(RegType type) => type switch
    {
        RegType.PtrToFlowKeys => "flow keys ",
        RegType.PtrToMapKey => "key ",
        RegType.PtrToMapValue => "value ",
        RegType.PtrToCtx => "context ",
        RegType.PtrToStack => "stack ",
        RegType.PtrToSocket => "sock ",
        RegType.PtrToSockCommon => "sock_common ",
        RegType.PtrToTcpSock => "tcp_sock ",
        RegType.PtrToXdpSock => "xdp_sock ",
        _ => "",
    };

    /// <summary>Whether this program type may read, or write, packet bytes through a pointer.</summary>
    public bool MayAccessDirectPktData(bool write, bool? helperPktAccess)
    {
        switch (RunType)
        {
            case ProgType.LwtIn or ProgType.LwtOut or ProgType.LwtSeg6Local or ProgType.SkReuseport
                or ProgType.FlowDissector or ProgType.CgroupSkb:
                return !write && (helperPktAccess ?? true);
            case ProgType.SchedCls or ProgType.SchedAct or ProgType.Xdp or ProgType.LwtXmit or ProgType.SkSkb or ProgType.SkMsg:
                SeenDirectWrite |= helperPktAccess is null;
                return helperPktAccess ?? true;
            case ProgType.CgroupSockopt:
                SeenDirectWrite |= write;
                return true;
            default:
                return false;
        }
    }

    private void CheckPacketRegAccess(int regno, int off, int size, bool write, int valueRegno)
    {
        if (write && !MayAccessDirectPktData(write: true, helperPktAccess: null))
        {
            Reject(DiagCode.ReadOnlyWrite, "cannot write into packet", regno, Errno.EACCES);
        }

        CheckLeak(write, valueRegno, "packet");
        CheckPacketRange(regno, off, size, zeroSizeAllowed: false);
        MarkLoaded(write, valueRegno);
    }

    /// <summary>Only bytes a comparison with the packet's end showed to be there (<c>check_packet_access</c>).</summary>
    public void CheckPacketRange(int regno, int off, int size, bool zeroSizeAllowed)
    {
        ref readonly var reg = ref Reg(regno);
        if (reg.Var.SMin < 0)
        {
            RejectNegativeMin(regno);
        }

        if (reg.PktRange >= 0 && IsInside(off, size, (uint)reg.PktRange, zeroSizeAllowed))
        {
            return;
        }

        if (reg.PktRange >= 0)
        {
            Log.Line(OutsideMessage(regno, off, size, (uint)reg.PktRange));
        }

        Reject(DiagCode.PacketAccessInvalid, $"R{regno} offset is outside of the packet", regno, Errno.EACCES);
    }
}
