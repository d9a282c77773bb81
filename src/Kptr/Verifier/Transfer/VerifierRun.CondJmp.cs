using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.Precision;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Conditional jumps: both ways are explored unless one cannot be, and each learns
/// from the condition.</content>
internal sealed partial class VerifierRun
{
    private const int AtPktEnd = -1;
    private const int BeyondPktEnd = -2;

    private void CheckCondJmp(in BpfInsn insn)
    {
        var op = (byte)(insn.Opcode & BpfOp.OpMask);
        if (op > BpfOp.Jcond)
        {
            Reject(DiagCode.InsnUnknownOpcode, $"invalid BPF_JMP/JMP32 opcode {op:x}");
        }

        if (op == BpfOp.Jcond)
        {
            CheckMayGoto(insn);
            return;
        }

        CheckRegArg(insn.Dst, RegUse.Src);
        var isReg = (insn.Opcode & BpfOp.X) != 0;
        var constant = default(RegState);
        if (isReg)
        {
            CheckJmpSrc(insn);
        }
        else
        {
            if (insn.Src != 0)
            {
                RejectReserved("BPF_JMP/JMP32");
            }

            constant.Type = RegType.Scalar;
            constant.MarkKnown((ulong)insn.Imm);
        }

        ref var dst = ref Reg(insn.Dst);
        ref var src = ref isReg ? ref Reg(insn.Src) : ref constant;
        var flags = (isReg && src.Type == RegType.PtrToStack ? HistFlags.SrcRegStack : 0)
            | (dst.Type == RegType.PtrToStack ? HistFlags.DstRegStack : 0);
        if (flags != 0)
        {
            PushInsnHistory(flags, 0);
        }

        var is32 = insn.Class == InsnClass.Jmp32;
        if (PredictJump(op, ref dst, ref src, is32) is { } taken)
        {
            FollowOne(insn, isReg, taken);
            return;
        }

        ExploreBoth(insn, op, isReg, is32, ref dst, ref src);
    }

    private void CheckJmpSrc(in BpfInsn insn)
    {
        if (insn.Imm != 0)
        {
            RejectReserved("BPF_JMP/JMP32");
        }

        CheckRegArg(insn.Src, RegUse.Src);
        var packets = IsPacketAny(Reg(insn.Dst)) && IsPacketAny(Reg(insn.Src));
        if (!packets && IsPointerValue(insn.Src))
        {
            RejectPtrComparison(insn.Src);
        }
    }

    private void RejectPtrComparison(int regno) =>
        Reject(DiagCode.PtrLeak, $"R{regno} pointer comparison prohibited", regno, Errno.EACCES);

    private static bool IsPacketAny(in RegState reg) => reg.Type.IsPacket() || reg.Type == RegType.PtrToPacketEnd;

    private void CheckMayGoto(in BpfInsn insn)
    {
        if (insn.Opcode != ((byte)InsnClass.Jmp | BpfOp.Jcond) || insn.Src != 0 || insn.Dst != 0
            || insn.Imm != 0 || (insn.Off == 0 && !Kernel.Profile.MayGotoNextInsn))
        {
            Reject(DiagCode.InsnReservedField, Kernel.Profile.MayGotoNextInsn
                ? $"invalid may_goto imm {insn.Imm}"
                : $"invalid may_goto off {insn.Off} imm {insn.Imm}");
        }

        var prev = FindPrevEntry(Cur.Parent, InsnIdx);
        var queued = PushStack(InsnIdx + 1, InsnIdx);
        queued.MayGotoDepth++;
        if (prev is not null)
        {
            WidenImpreciseScalars(prev, queued);
        }

        InsnIdx += insn.Off;
    }

    private void FollowOne(in BpfInsn insn, bool isReg, bool taken)
    {
        if (Reg(insn.Dst).Type == RegType.Scalar)
        {
            MarkChainPrecision(insn.Dst);
        }

        if (isReg && Reg(insn.Src).Type == RegType.Scalar)
        {
            MarkChainPrecision(insn.Src);
        }

        if (!BypassSpecV1)
        {
            ExploreMispredicted(insn, taken ? InsnIdx + 1 : InsnIdx + insn.Off + 1);
        }

        if (taken)
        {
            InsnIdx += insn.Off;
        }
    }

    /// <summary>Which way a jump goes, if that is certain (<c>is_branch_taken</c>).</summary>
    private bool? PredictJump(byte op, ref RegState a, ref RegState b, bool is32)
    {
        if (!is32 && IsPacketAny(a) && IsPacketAny(b))
        {
            return PredictPacket(op, a, b);
        }

        if (a.Type == RegType.Scalar && b.Type == RegType.Scalar)
        {
            return Numbers.Predict(
                op, a.Var, b.Var, is32, System.Runtime.CompilerServices.Unsafe.AreSame(ref a, ref b));
        }

        if (is32)
        {
            return null;
        }

        ref var ptr = ref a;
        ref var number = ref b;
        if (!number.IsConstScalar && Kernel.Profile.LearnsNullFromPointers)
        {
            ptr = ref b;
            number = ref a;
        }

        if (!number.IsConstScalar || number.Var.ConstValue != 0 || !IsNotNull(ptr))
        {
            return null;
        }

        return op switch
        {
            BpfOp.Jeq => false,
            BpfOp.Jne => true,
            _ => null,
        };
    }

    private static bool? PredictPacket(byte op, in RegState a, in RegState b)
    {
        int range;
        if (b.Type == RegType.PtrToPacketEnd)
        {
            range = a.PktRange;
        }
        else if (a.Type == RegType.PtrToPacketEnd)
        {
            range = b.PktRange;
            op = ScalarBranch.Flip(op);
        }
        else
        {
            return null;
        }

        return op switch
        {
            BpfOp.Jle or BpfOp.Jgt when range == BeyondPktEnd => op == BpfOp.Jgt,
            BpfOp.Jlt or BpfOp.Jge when range is BeyondPktEnd or AtPktEnd => op == BpfOp.Jge,
            _ => null,
        };
    }

    /// <summary>Whether a pointer is certainly not null (<c>reg_not_null</c>).</summary>
    private bool IsNotNull(in RegState reg)
    {
        if (!Kernel.Profile.LearnsNullFromPointers)
        {
            return reg.Type is RegType.PtrToSocket or RegType.PtrToTcpSock or RegType.PtrToMapValue
                or RegType.PtrToMapKey or RegType.PtrToSockCommon;
        }

        if (reg.Type.MayBeNull() || reg.Var.SMin <= -Limits.MaxVarOff || reg.Var.SMax >= Limits.MaxVarOff)
        {
            return false;
        }

        return reg.Type.Base() is RegType.PtrToSocket or RegType.PtrToTcpSock
            or RegType.PtrToXdpSock or RegType.PtrToBuf
                or RegType.PtrToMapValue or RegType.PtrToMapKey or RegType.PtrToSockCommon
                or RegType.ConstPtrToMap
            || (reg.Type.Base() == RegType.PtrToMem && !reg.Type.Has(RegType.PtrUntrusted))
            || (reg.Type.Base() == RegType.PtrToBtfId && reg.IsTrusted);
    }

    private void ExploreBoth(in BpfInsn insn, byte op, bool isReg, bool is32, ref RegState dst, ref RegState src)
    {
        Span<int> linked = stackalloc int[LinkedRegs.CountMax];
        var count = 0;
        if (isReg && src.Type == RegType.Scalar && src.Id != 0)
        {
            CollectLinked(src.Id, linked, ref count);
        }

        if (dst.Type == RegType.Scalar && dst.Id != 0)
        {
            CollectLinked(dst.Id, linked, ref count);
        }

        if (count > 1)
        {
            PushInsnHistory(0, LinkedRegs.Pack(linked[..count]));
        }

        var other = PushStack(InsnIdx + insn.Off + 1, InsnIdx);
        var otherRegs = other.Cur.Regs;
        var otherConstant = src;
        ref var otherDst = ref otherRegs[insn.Dst];
        ref var otherSrc = ref isReg ? ref otherRegs[insn.Src] : ref otherConstant;
        if (dst.Type == RegType.Scalar && src.Type == RegType.Scalar)
        {
            Numbers.Refine(op, is32, ref otherDst.Var, ref otherSrc.Var, ref dst.Var, ref src.Var);
            SanitizeBounds(ref otherDst, "true_reg1");
            SanitizeBounds(ref otherSrc, "true_reg2");
            SanitizeBounds(ref dst, "false_reg1");
            SanitizeBounds(ref src, "false_reg2");
        }

        var known = (ReadOnlySpan<int>)linked[..count];
        if (isReg && src.Type == RegType.Scalar && src.Id != 0)
        {
            SyncLinked(Cur, ref src, known);
            SyncLinked(other, ref otherSrc, known);
        }

        if (dst.Type == RegType.Scalar && dst.Id != 0)
        {
            SyncLinked(Cur, ref dst, known);
            SyncLinked(other, ref otherDst, known);
        }

        LearnNullness(insn, op, isReg, is32, other, ref dst, ref src);
    }
}
