using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>64-bit immediates, which may name maps, kernel variables and functions; and legacy packet loads.</content>
internal sealed partial class VerifierRun
{
    private void CheckLdImm(in BpfInsn insn)
    {
        if ((insn.Opcode & BpfOp.SizeMask) != BpfOp.Dw)
        {
            Reject(DiagCode.InsnUnknownOpcode, "invalid BPF_LD_IMM insn");
        }

        if (insn.Off != 0)
        {
            RejectReserved("BPF_LD_IMM64");
        }

        CheckRegArg(insn.Dst, RegUse.Dst);
        ref var dst = ref Reg(insn.Dst);
        if (insn.Src == 0)
        {
            dst.MarkKnown(((ulong)(uint)Insns[InsnIdx + 1].Imm << 32) | (uint)insn.Imm);
            dst.Type = RegType.Scalar;
            if (Prog.MaybeAddresses.Contains(InsnIdx))
            {
                dst.MarkUnknown(AlwaysPrecise);
            }

            return;
        }

        ref readonly var aux = ref Aux[InsnIdx];
        dst.MarkKnown(0);
        switch (insn.Src)
        {
            case BpfOp.PseudoBtfId:
                dst.Type = aux.VarType;
                if (dst.Type.Base() == RegType.PtrToMem)
                {
                    dst.MemSize = aux.VarSizeBytes;
                }
                else
                {
                    dst.Btf = aux.VarBtf;
                    dst.BtfId = aux.VarBtfId;
                }

                break;
            case BpfOp.PseudoFunc:
                LoadFuncAddress(insn, ref dst);
                break;
            default:
                LoadMapAddress(insn, aux.Map!, aux.MapOff, ref dst);
                break;
        }
    }

    private void LoadFuncAddress(in BpfInsn insn, ref RegState dst)
    {
        var subprog = Subprogs.Find(InsnIdx + insn.Imm + 1);
        if (Prog.FuncInfos.IsEmpty)
        {
            Reject(DiagCode.BtfInfoInvalid, "missing btf func_info");
        }

        if (Subprogs[subprog].IsGlobal)
        {
            Reject(DiagCode.CallbackInvalid, "callback function not static");
        }

        if (subprog == 0)
        {
            Reject(DiagCode.CallbackInvalid, "callback function cannot be the main program");
        }

        dst.Type = RegType.PtrToFunc;
        dst.Subprogno = subprog;
    }

    private void LoadMapAddress(in BpfInsn insn, MapSpec map, int off, ref RegState dst)
    {
        dst.Map = map;
        if (insn.Src != BpfOp.PseudoMapValue)
        {
            dst.Type = RegType.ConstPtrToMap;
        }
        else if (map.Type == BpfMapType.Arena)
        {
            dst.MarkUnknown(AlwaysPrecise);
        }
        else
        {
            dst.Type = RegType.PtrToMapValue;
            dst.Off = off;
        }
    }
}
