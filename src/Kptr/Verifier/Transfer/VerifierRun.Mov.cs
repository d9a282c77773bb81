using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Register moves: copies, sign extension, casts of address spaces.</content>
internal sealed partial class VerifierRun
{
    private void CheckMov(in BpfInsn insn)
    {
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        if (isReg)
        {
            CheckMovFields(insn);
            CheckRegArg(insn.Src, RegUse.Src);
        }
        else if (insn.Src != 0 || insn.Off != 0)
        {
            RejectReserved("BPF_MOV");
        }

        CheckRegArg(insn.Dst, RegUse.DstNoMark);
        if (isReg)
        {
            MovReg(insn);
            return;
        }

        ref var dst = ref Reg(insn.Dst);
        dst.MarkUnknown(AlwaysPrecise);
        dst.MarkKnown(insn.Class == InsnClass.Alu64 ? (ulong)insn.Imm : (uint)insn.Imm);
    }

    private void CheckMovFields(in BpfInsn insn)
    {
        if (insn.Off != 0 && !Kernel.Profile.HasV4Insns)
        {
            RejectReserved("BPF_MOV");
        }

        if (insn.Class == InsnClass.Alu)
        {
            if (insn.Off is not (0 or 8 or 16) || insn.Imm != 0)
            {
                RejectReserved("BPF_MOV");
            }
        }
        else if (insn.Off == AddrSpaceCast)
        {
            if (insn.Imm is not (1 or (1 << 16)))
            {
                Reject(DiagCode.InsnReservedField,
                    "addr_space_cast insn can only convert between address space 1 and 0");
            }

            if (!HasArena)
            {
                Reject(DiagCode.MapIncompatible,
                    "addr_space_cast insn can only be used in a program that has an associated arena");
            }
        }
        else if (insn.Off is not (0 or 8 or 16 or 32) || insn.Imm != 0)
        {
            RejectReserved("BPF_MOV");
        }
    }

    private void MovReg(in BpfInsn insn)
    {
        ref var src = ref Reg(insn.Src);
        ref var dst = ref Reg(insn.Dst);
        if (insn.Class == InsnClass.Alu)
        {
            MovReg32(insn, ref src, ref dst);
            return;
        }

        if (insn.Imm != 0)
        {
            dst.MarkUnknown(AlwaysPrecise);
            if (insn.Imm == 1)
            {
                dst.Type = RegType.PtrToArena;
            }
        }
        else if (insn.Off == 0)
        {
            AssignScalarId(ref src);
            dst = src;
        }
        else if (IsPointerValue(insn.Src))
        {
            Reject(DiagCode.PtrLeak, $"R{insn.Src} sign-extension part of pointer", insn.Src, Errno.EACCES);
        }
        else if (src.Type == RegType.Scalar)
        {
            CopyScalar(ref src, ref dst, keepsId: src.Var.UMax < 1UL << (insn.Off - 1));
            dst.Var.SignExtend64(insn.Off >> 3);
        }
        else
        {
            dst.MarkUnknown(AlwaysPrecise);
        }
    }

    private void MovReg32(in BpfInsn insn, ref RegState src, ref RegState dst)
    {
        if (IsPointerValue(insn.Src))
        {
            Reject(DiagCode.PtrLeak, $"R{insn.Src} partial copy of pointer", insn.Src, Errno.EACCES);
        }

        if (src.Type != RegType.Scalar)
        {
            dst.MarkUnknown(AlwaysPrecise);
        }
        else if (insn.Off == 0)
        {
            CopyScalar(ref src, ref dst, keepsId: src.Var.WidthBits <= 32 && Kernel.Profile.DeducesBounds);
        }
        else
        {
            CopyScalar(ref src, ref dst, keepsId: src.Var.UMax < 1UL << (insn.Off - 1));
            dst.Var.SignExtend32(insn.Off >> 3);
        }

        Numbers.ZeroExtend32(ref dst.Var);
        Numbers.Sync(ref dst.Var);
    }

    /// <summary>A copy that is the same number keeps the link between the two.</summary>
    private void CopyScalar(ref RegState src, ref RegState dst, bool keepsId)
    {
        if (keepsId)
        {
            AssignScalarId(ref src);
        }

        dst = src;
        if (!keepsId)
        {
            ClearScalarId(ref dst);
        }
    }

    /// <summary>Gives an unknown scalar an id before it is copied (<c>assign_scalar_id_before_mov</c>).</summary>
    private void AssignScalarId(ref RegState reg)
    {
        if (reg.Type != RegType.Scalar)
        {
            return;
        }

        if ((reg.Id & RegState.AddConst) != 0)
        {
            ClearScalarId(ref reg);
        }

        if (reg.Id == 0 && !reg.Var.IsConst)
        {
            reg.Id = NewId();
        }
    }

    private static void ClearScalarId(ref RegState reg)
    {
        reg.Id = 0;
        reg.Off = 0;
    }
}
