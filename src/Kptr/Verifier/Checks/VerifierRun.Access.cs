using Kptr.Diagnostics;
using Kptr.Verifier.State;

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
    public void CheckMemAccess(
        int regno, int off, int size, bool write, int valueRegno, bool strictOnce = false, bool isLdsx = false)
    {
        ref var reg = ref Reg(regno);
        CheckPtrAlignment(reg, off, size, strictOnce);
        off += reg.Off;
        NoteAccess(reg, off, size);
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
                Numbers.Truncate(ref value, size);
            }
        }
    }

    private void RejectInvalidMem(int regno, in RegState reg)
    {
        var code = reg.Type.MayBeNull() ? DiagCode.NullDereference : DiagCode.MemAccessInvalid;
        Reject(code, $"R{regno} invalid mem access '{RegTypeName(reg.Type)}'", regno, Errno.EACCES);
    }

    /// <returns>False when this kind of pointer cannot be accessed at all.</returns>
    private bool TryCheckAccessByBase(
        int regno, ref RegState reg, int off, int size, bool write, int valueRegno, bool isLdsx)
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
        if (!reg.Type.Has(RegType.PtrUntrusted))
        {
            CheckMemRegion(regno, off, size, (uint)reg.MemSize, zeroSizeAllowed: false);
        }

        MarkLoaded(write && !reg.Type.IsReadOnly(), valueRegno);
    }

    private void CheckCtxRegAccess(
        int regno, in RegState reg, int off, int size, bool write, int valueRegno, bool isLdsx)
    {
        CheckLeak(write, valueRegno, "ctx");
        if (Hook.IsContextIndexed)
        {
            CheckMemRegion(regno, off, size, ushort.MaxValue, zeroSizeAllowed: false);
            off += (int)reg.Var.UMax;
        }
        else
        {
            CheckPtrOffReg(reg, regno, fixedOffOk: Hook.IsContextOffset);
        }

        if (_context.Check(InsnIdx, off, size, write, isLdsx) is not { } access)
        {
            Reject(DiagCode.CtxAccessInvalid, $"invalid bpf_context access off={off} size={size}", regno, Errno.EACCES);
            return;
        }

        var refId = access.IsRefcounted ? _argRefs[off] : 0;
        if (refId != 0 && !Cur.Cur.TryFindRef(refId, out _))
        {
            Reject(DiagCode.ReleaseUnowned,
                $"invalid bpf_context access off={off}. Reference may already be released", regno, Errno.EACCES);
        }

        if (write || valueRegno < 0)
        {
            return;
        }

        ref var value = ref Reg(valueRegno);
        if (access.Type == RegType.Scalar)
        {
            value.MarkUnknown(AlwaysPrecise);
            if (access.IsRetval && !Options.ProvesAccesses && _returns.OfTarget() is { } range)
            {
                Numbers.ClampS32(ref value.Var, range.Min, range.Max);
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
            value.RefObjId = refId;
        }
    }

    private void CheckFlowKeysAccess(int off, int size, bool write, int valueRegno)
    {
        CheckLeak(write, valueRegno, "flow keys");
        if (off < 0 || off + size > FlowKeysBytes)
        {
            Reject(DiagCode.MemAccessInvalid, $"invalid access to flow keys off={off} size={size}",
                errno: Errno.EACCES);
        }

        MarkLoaded(write, valueRegno);
    }

    /// <summary><c>sizeof(struct bpf_flow_keys)</c></summary>
    private const int FlowKeysBytes = 56;
}
