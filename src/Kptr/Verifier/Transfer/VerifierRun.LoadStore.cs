using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Loads, stores and atomics.</content>
internal sealed partial class VerifierRun
{
    private void CheckLdx(in BpfInsn insn)
    {
        CheckRegArg(insn.Src, RegUse.Src);
        CheckRegArg(insn.Dst, RegUse.DstNoMark);
        var type = Reg(insn.Src).Type;
        var isLdsx = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Memsx;
        CheckMemAccess(insn.Src, insn.Off, insn.AccessBytes, write: false, insn.Dst, isLdsx: isLdsx);
        SavePtrType(type, allowTrustMismatch: true);
        SanitizeBounds(ref Reg(insn.Dst), "ldx");
    }

    private void CheckStx(in BpfInsn insn)
    {
        if (Kernel.Profile.HasOrderedAccess && (insn.IsLoadAcquire || insn.IsStoreRelease))
        {
            CheckOrdered(insn);
            return;
        }

        if ((insn.Opcode & BpfOp.ModeMask) == BpfOp.Atomic)
        {
            CheckAtomic(insn);
            return;
        }

        if ((insn.Opcode & BpfOp.ModeMask) != BpfOp.Mem || insn.Imm != 0)
        {
            RejectReserved("BPF_STX");
        }

        CheckRegArg(insn.Src, RegUse.Src);
        CheckRegArg(insn.Dst, RegUse.Src);
        var type = Reg(insn.Dst).Type;
        CheckMemAccess(insn.Dst, insn.Off, insn.AccessBytes, write: true, insn.Src);
        SavePtrType(type, allowTrustMismatch: false);
    }

    private void CheckSt(in BpfInsn insn)
    {
        if ((insn.Opcode & BpfOp.ModeMask) != BpfOp.Mem || insn.Src != 0)
        {
            RejectReserved("BPF_ST");
        }

        CheckRegArg(insn.Dst, RegUse.Src);
        var type = Reg(insn.Dst).Type;
        if (type == RegType.PtrToCtx && !Kernel.Profile.StoresConstantsToContext)
        {
            Reject(DiagCode.CtxAccessInvalid, $"BPF_ST stores into R{insn.Dst} {RegTypeName(type)} is not allowed",
                insn.Dst, Errno.EACCES);
        }

        CheckMemAccess(insn.Dst, insn.Off, insn.AccessBytes, write: true, -1);
        SavePtrType(type, allowTrustMismatch: false);
    }

    private void CheckAtomic(in BpfInsn insn)
    {
        var op = insn.Imm & ~BpfOp.Fetch;
        if (insn.Imm is not (BpfOp.Xchg or BpfOp.CmpXchg)
            && op is not (BpfOp.Add or BpfOp.And or BpfOp.Or or BpfOp.Xor))
        {
            Reject(DiagCode.InsnUnknownOpcode, $"BPF_ATOMIC uses invalid atomic opcode {insn.Imm:x2}");
        }

        var size = insn.AccessBytes;
        if (size < 4)
        {
            Reject(DiagCode.InsnReservedField, "invalid atomic operand size");
        }

        CheckRegArg(insn.Src, RegUse.Src);
        CheckRegArg(insn.Dst, RegUse.Src);
        var isCmpXchg = insn.Imm == BpfOp.CmpXchg;
        if (isCmpXchg)
        {
            CheckRegArg(0, RegUse.Src);
            CheckLeak(write: true, 0, "mem");
        }

        CheckLeak(write: true, insn.Src, "mem");
        var type = Reg(insn.Dst).Type;
        if (type is RegType.PtrToCtx or RegType.PtrToFlowKeys || type.IsPacket() || type.IsSock())
        {
            Reject(DiagCode.MemAccessInvalid,
                $"BPF_ATOMIC stores into R{insn.Dst} {RegTypeName(type)} is not allowed", insn.Dst, Errno.EACCES);
        }

        var loadReg = (insn.Imm & BpfOp.Fetch) == 0 ? -1 : isCmpXchg ? 0 : insn.Src;
        if (loadReg >= 0)
        {
            CheckRegArg(loadReg, RegUse.Dst);
        }

        CheckMemAccess(insn.Dst, insn.Off, size, write: false, -1, strictOnce: true);
        if (loadReg >= 0)
        {
            CheckMemAccess(insn.Dst, insn.Off, size, write: false, loadReg, strictOnce: true);
        }

        SavePtrType(Reg(insn.Dst).Type, allowTrustMismatch: false);
        CheckMemAccess(insn.Dst, insn.Off, size, write: true, -1, strictOnce: true);
    }

    /// <summary>A load that acquires, a store that releases.</summary>
    /// <remarks>Kernel: <c>check_atomic_load</c>, <c>check_atomic_store</c>.</remarks>
    private void CheckOrdered(in BpfInsn insn)
    {
        int at = insn.IsLoadAcquire ? insn.Src : insn.Dst, value = insn.IsLoadAcquire ? insn.Dst : insn.Src;
        CheckRegArg(insn.Src, RegUse.Src);
        if (insn.IsLoadAcquire)
        {
            CheckOrderedPtr(at, "loads from", isLoad: true);
        }

        CheckRegArg(insn.Dst, insn.IsLoadAcquire ? RegUse.DstNoMark : RegUse.Src);
        var type = Reg(at).Type;
        CheckMemAccess(at, insn.Off, insn.AccessBytes, write: insn.IsStoreRelease, value, strictOnce: true);
        SavePtrType(type, allowTrustMismatch: false);
        if (insn.IsLoadAcquire)
        {
            SanitizeBounds(ref Reg(insn.Dst), "atomic_load");
        }
        else
        {
            CheckOrderedPtr(at, "stores into", isLoad: false);
        }
    }

    /// <summary>
    /// Such an access is not rewritten: neither where programs see another struct than there is, nor, as a load, where
    /// a fault would have to be caught.
    /// </summary>
    private void CheckOrderedPtr(int regno, string what, bool isLoad)
    {
        var type = Reg(regno).Type;
        if (type is RegType.PtrToCtx or RegType.PtrToFlowKeys || type.IsPacket() || type.IsSock()
            || (isLoad && (type == RegType.PtrToBtfId || type.Has(RegType.PtrUntrusted))))
        {
            Reject(DiagCode.MemAccessInvalid, $"BPF_ATOMIC {what} R{regno} {RegTypeName(type)} is not allowed", regno,
                Errno.EACCES);
        }
    }

    /// <summary>One instruction must see one kind of pointer on all paths (<c>save_aux_ptr_type</c>).</summary>
    private void SavePtrType(RegType type, bool allowTrustMismatch)
    {
        // Linux 7.2 forgets faults where a stack pointer came before memory that may fault; none is forgotten here.
        Aux[InsnIdx].Probed |= IsProbed(type);
        ref var seen = ref Aux[InsnIdx].PtrType;
        if (seen == RegType.NotInit)
        {
            seen = type;
        }
        else if (type != seen && (!MayDiffer(type) || !MayDiffer(seen)))
        {
            if (!allowTrustMismatch || !Kernel.Profile.MixesTrustInLoads || !MayMix(type) || !MayMix(seen))
            {
                Reject(DiagCode.MixedPointers, "same insn cannot be used with different pointers");
            }

            seen = Kernel.Profile.ReadsUntrustedMemory
                ? ((type | seen) & (RegType.PtrUntrusted | RegType.MemRdOnly))
                    | (type.Base() == RegType.PtrToMem ? RegType.PtrToMem : seen.Base())
                : RegType.PtrToBtfId | RegType.PtrUntrusted;
        }
    }

    private bool MayMix(RegType type) => type.Base() == RegType.PtrToBtfId
        || (type.Base() == RegType.PtrToMem && Kernel.Profile.ReadsUntrustedMemory);

    private static bool MayDiffer(RegType type) => type.Base() is not (RegType.PtrToCtx or RegType.PtrToSocket
        or RegType.PtrToSockCommon or RegType.PtrToTcpSock or RegType.PtrToXdpSock or RegType.PtrToBtfId
        or RegType.PtrToArena);
}
