using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Bounds and alignment of an access of any kind.</content>
internal sealed partial class VerifierRun
{
    // How much of buffers that are read only and of others is touched: what one is attached to must have as much
    // (max_rdonly_access, max_rdwr_access).
    private int _maxRdonlyAccess;
    private int _maxRdwrAccess;

    private void CheckBufferAccess(string what, in RegState reg, int regno, int off, int size)
    {
        CheckBufferStart(what, reg, regno, off, size);
        ref var max = ref (reg.Type.IsReadOnly() ? ref _maxRdonlyAccess : ref _maxRdwrAccess);
        max = Math.Max(max, (int)Math.Min((long)reg.Var.ConstValue + off + size, int.MaxValue));
    }

    private void CheckBufferStart(string what, in RegState reg, int regno, int off, int size)
    {
        if (Kernel.Profile.FoldsOffsets)
        {
            CheckBufferPlace(what, reg, regno, off);
            return;
        }

        if (off < 0)
        {
            Reject(DiagCode.MemAccessInvalid, $"R{regno} invalid {what} buffer access: off={off}, size={size}",
                regno, Errno.EACCES);
        }

        if (!reg.Var.IsConstEqual(0))
        {
            Reject(DiagCode.MemAccessInvalid,
                $"R{regno} invalid variable buffer offset: off={off}, var_off={Tn(reg)}", regno, Errno.EACCES);
        }
    }

    // Where offsets are one, the whole of it must be known, and not negative.
    private void CheckBufferPlace(string what, in RegState reg, int regno, int off)
    {
        var insnOff = off - reg.Off;
        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.MemAccessInvalid,
                $"R{regno} invalid variable buffer offset: off={insnOff}, var_off={Whole(reg)}", regno, Errno.EACCES);
        }

        if ((long)reg.Var.ConstValue + off < 0)
        {
            Reject(DiagCode.MemAccessInvalid, $"R{regno} invalid negative {what} buffer offset: off={insnOff}, "
                + $"var_off={(long)reg.Var.ConstValue + reg.Off}", regno, Errno.EACCES);
        }
    }

    /// <summary>The pointer must be as it was given: no offset unless allowed, never a variable one.</summary>
    public void CheckPtrOffReg(in RegState reg, int regno, bool fixedOffOk)
    {
        if (Kernel.Profile.FoldsOffsets && !reg.Var.IsConst)
        {
            Reject(DiagCode.PtrModified,
                $"variable {RegTypeName(reg.Type)} access var_off={Whole(reg)} disallowed", regno, Errno.EACCES);
        }

        if (reg.Off < 0)
        {
            Reject(DiagCode.PtrModified,
                $"negative offset {RegTypeName(reg.Type)} ptr R{regno} off={reg.Off} disallowed", regno, Errno.EACCES);
        }

        if (!fixedOffOk && reg.Off != 0)
        {
            Reject(DiagCode.PtrModified,
                $"dereference of modified {RegTypeName(reg.Type)} ptr R{regno} off={reg.Off} disallowed",
                regno, Errno.EACCES);
        }

        if (!reg.Var.IsConstEqual(0))
        {
            Reject(DiagCode.PtrModified,
                $"variable {RegTypeName(reg.Type)} access var_off={Tn(reg)} disallowed", regno, Errno.EACCES);
        }
    }

    /// <summary>
    /// Bytes [off, off+size) and every variable offset stay inside a region (<c>check_mem_region_access</c>).
    /// </summary>
    /// <remarks><c>code</c>: of an access outside.</remarks>
    public void CheckMemRegion(int regno, int off, int size, uint memSize, bool zeroSizeAllowed,
        DiagCode code = DiagCode.MemAccessInvalid)
    {
        var v = Reg(regno).Var;
        if (Kernel.Profile.FoldsOffsets)
        {
            off -= Reg(regno).Off;
            v = FoldedRange(Reg(regno));
        }

        if (v.SMin < 0 && (v.SMin == long.MinValue || off + v.SMin != (int)(off + v.SMin) || v.SMin + off < 0))
        {
            RejectNegativeMin(regno);
        }

        if (!IsInside(v.SMin + off, size, memSize, zeroSizeAllowed))
        {
            Log.Line(OutsideMessage(regno, (int)(v.SMin + off), size, memSize));
            Reject(code, $"R{regno} min value is outside of the allowed memory range",
                regno, Errno.EACCES);
        }

        if (v.UMax >= Limits.MaxVarOff)
        {
            Reject(code,
                $"R{regno} unbounded memory access, make sure to bounds check any such access", regno, Errno.EACCES);
        }

        if (!IsInside((long)v.UMax + off, size, memSize, zeroSizeAllowed))
        {
            Log.Line(OutsideMessage(regno, (int)((long)v.UMax + off), size, memSize));
            Reject(code, $"R{regno} max value is outside of the allowed memory range",
                regno, Errno.EACCES);
        }
    }

    private void RejectNegativeMin(int regno) => Reject(DiagCode.MemAccessInvalid,
        $"R{regno} min value is negative, either use unsigned index or do a if (index >=0) check.",
        regno, Errno.EACCES);

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
            RegType.PtrToCtx => $"invalid access to context, ctx_size={memSize} off={off} size={size}",
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
                $"misaligned packet access off {netIpAlign}+{Places(reg)}+{off} size {size}",
                errno: Errno.EACCES);
        }

        Reject(DiagCode.Misaligned,
            $"misaligned {AlignmentName(reg.Type)}access off {Places(reg)}+{off} size {size}",
            errno: Errno.EACCES);
    }

    private string Places(in RegState reg) => Kernel.Profile.FoldsOffsets ? Whole(reg) : $"{Tn(reg)}+{reg.Off}";

    /// <summary>The range of a pointer's known and variable offset together.</summary>
    private Scalars.ScalarRange FoldedRange(in RegState reg)
    {
        var sum = reg.Var;
        if (reg.Off != 0)
        {
            var off = Scalars.ScalarRange.Const((ulong)(long)reg.Off);
            Numbers.AddRanges(ref sum, off);
            sum.Bits += off.Bits;
            Numbers.Sync(ref sum);
        }

        return sum;
    }

    // Both offsets of a pointer as one.
    private static string Whole(in RegState reg)
    {
        var sum = reg;
        sum.Var.Bits += Scalars.Tnum.Const((ulong)(long)reg.Off);
        return sum.Var.Bits is { IsConst: true, Value: var value } && (long)value is >= short.MinValue and < 0
            ? ((long)value).ToString(System.Globalization.CultureInfo.InvariantCulture) : Tn(sum);
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
}
