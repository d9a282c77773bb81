using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.Scalars;

namespace Kptr.Verifier;

/// <content>Conditional jumps: both ways are explored unless one cannot be, and each learns from the condition.</content>
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
        if (insn.Opcode != ((byte)InsnClass.Jmp | BpfOp.Jcond) || insn.Src != 0 || insn.Dst != 0 || insn.Imm != 0 || insn.Off == 0)
        {
            Reject(DiagCode.InsnReservedField, $"invalid may_goto off {insn.Off} imm {insn.Imm}");
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

        if (taken)
        {
            InsnIdx += insn.Off;
        }
    }

    /// <summary>Which way a jump goes, if that is certain (<c>is_branch_taken</c>).</summary>
    private static bool? PredictJump(byte op, ref RegState a, ref RegState b, bool is32)
    {
        if (!is32 && IsPacketAny(a) && IsPacketAny(b))
        {
            return PredictPacket(op, a, b);
        }

        if (a.Type == RegType.Scalar && b.Type == RegType.Scalar)
        {
            return ScalarBranch.Predict(op, a.Var, b.Var, is32);
        }

        if (is32)
        {
            return null;
        }

        ref var ptr = ref a;
        ref var number = ref b;
        if (!number.IsConstScalar)
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
    private static bool IsNotNull(in RegState reg)
    {
        if (reg.Type.MayBeNull() || reg.Var.SMin <= -Limits.MaxVarOff || reg.Var.SMax >= Limits.MaxVarOff)
        {
            return false;
        }

        return reg.Type.Base() is RegType.PtrToSocket or RegType.PtrToTcpSock or RegType.PtrToXdpSock or RegType.PtrToBuf
                or RegType.PtrToMapValue or RegType.PtrToMapKey or RegType.PtrToSockCommon or RegType.PtrToMem
                or RegType.ConstPtrToMap
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
            ScalarBranch.Refine(op, false, ref dst.Var, ref src.Var, is32);
            ScalarBranch.Refine(op, true, ref otherDst.Var, ref otherSrc.Var, is32);
            SanitizeBounds(ref otherDst, "true_reg1");
            SanitizeBounds(ref otherSrc, "true_reg2");
            SanitizeBounds(ref dst, "false_reg1");
            SanitizeBounds(ref src, "false_reg2");
        }

        var known = linked[..count];
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

    private void LearnNullness(in BpfInsn insn, byte op, bool isReg, bool is32, VerifierState other, ref RegState dst, ref RegState src)
    {
        var isEquality = !is32 && (op is BpfOp.Jeq or BpfOp.Jne);
        if (isEquality && isReg && src.Type != RegType.Scalar && dst.Type != RegType.Scalar
            && src.Type.Base() != RegType.PtrToBtfId && dst.Type.Base() != RegType.PtrToBtfId)
        {
            var equal = op == BpfOp.Jeq ? other.Cur.Regs : Cur.Cur.Regs;
            bool dstNotNull = IsNotNull(dst), srcNotNull = IsNotNull(src);
            if (dstNotNull && src.Type.MayBeNull())
            {
                MarkNotNull(ref equal[insn.Src]);
            }

            if (srcNotNull && dst.Type.MayBeNull())
            {
                MarkNotNull(ref equal[insn.Dst]);
            }
        }

        if (isEquality && !isReg && insn.Imm == 0 && dst.Type.MayBeNull())
        {
            MarkPtrOrNullRegs(Cur, insn.Dst, isNull: op == BpfOp.Jne);
            MarkPtrOrNullRegs(other, insn.Dst, isNull: op == BpfOp.Jeq);
        }
        else if (!TryMatchPacket(insn, op, isReg, is32, other, ref dst) && IsPointerValue(insn.Dst))
        {
            RejectPtrComparison(insn.Dst);
        }
    }

    /// <summary>A nullable pointer turned out to be one (<c>mark_ptr_not_null_reg</c>).</summary>
    public static void MarkNotNull(ref RegState reg)
    {
        if (reg.Type.Base() != RegType.PtrToMapValue)
        {
            reg.Type &= ~RegType.MaybeNull;
            return;
        }

        var map = reg.Map!;
        if (map.InnerMap is { } inner)
        {
            reg.Type = RegType.ConstPtrToMap;
            reg.Map = inner;
            if (inner.Record.Has(Btf.BtfFieldKind.Timer | Btf.BtfFieldKind.Workqueue))
            {
                reg.MapUid = reg.Id;
            }
        }
        else
        {
            reg.Type = map.Type switch
            {
                Specs.BpfMapType.Xskmap => RegType.PtrToXdpSock,
                Specs.BpfMapType.Sockmap or Specs.BpfMapType.Sockhash => RegType.PtrToSocket,
                _ => RegType.PtrToMapValue,
            };
        }
    }

    /// <summary>Every register with the same id shares the answer (<c>mark_ptr_or_null_regs</c>).</summary>
    private void MarkPtrOrNullRegs(VerifierState state, int regno, bool isNull)
    {
        ref var tested = ref state.Cur.Regs[regno];
        int id = tested.Id, refObjId = tested.RefObjId;
        if (refObjId != 0 && refObjId == id && isNull)
        {
            state.Cur.TryReleaseRef(id);
        }

        for (var i = 0; i <= state.CurFrame; i++)
        {
            var frame = state.Frames[i]!;
            foreach (ref var reg in frame.Regs.AsSpan())
            {
                MarkPtrOrNull(ref reg, id, isNull);
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot.IsSpill)
                {
                    MarkPtrOrNull(ref slot.Spilled, id, isNull);
                }
            }
        }
    }

    private void MarkPtrOrNull(ref RegState reg, int id, bool isNull)
    {
        if (!reg.Type.MayBeNull() || reg.Id != id || (reg.Id == 0 && !reg.Type.IsRcu()))
        {
            return;
        }

        if (!reg.Var.IsConstEqual(0) || (reg.Off != 0 && !reg.Type.IsAllocObj()))
        {
            return;
        }

        if (isNull)
        {
            reg.Type = RegType.Scalar;
            reg.Id = 0;
            reg.RefObjId = 0;
            return;
        }

        MarkNotNull(ref reg);
        if (!RecordOf(reg).Has(Btf.BtfFieldKind.SpinLock))
        {
            reg.Id = 0;
        }
    }

    /// <summary>A comparison of a packet pointer with the end tells how many bytes are there.</summary>
    private bool TryMatchPacket(in BpfInsn insn, byte op, bool isReg, bool is32, VerifierState other, ref RegState dst)
    {
        if (!isReg || is32 || op is not (BpfOp.Jgt or BpfOp.Jlt or BpfOp.Jge or BpfOp.Jle))
        {
            return false;
        }

        ref var src = ref Reg(insn.Src);
        var dstIsData = (dst.Type == RegType.PtrToPacket && src.Type == RegType.PtrToPacketEnd)
            || (dst.Type == RegType.PtrToPacketMeta && IsInitialPacket(src));
        var srcIsData = (dst.Type == RegType.PtrToPacketEnd && src.Type == RegType.PtrToPacket)
            || (IsInitialPacket(dst) && src.Type == RegType.PtrToPacketMeta);
        if (!dstIsData && !srcIsData)
        {
            return false;
        }

        // Brought to "data op end": which branch has the bytes, and whether it has one more.
        var form = dstIsData ? op : ScalarBranch.Flip(op);
        var dataReg = dstIsData ? insn.Dst : insn.Src;
        var goodOnFallthrough = form is BpfOp.Jgt or BpfOp.Jge;
        var open = form is BpfOp.Jge or BpfOp.Jlt;
        var data = Reg(dataReg);
        FindGoodPacketPointers(goodOnFallthrough ? Cur : other, data, data.Type, open);
        MarkPacketEnd(goodOnFallthrough ? other : Cur, dataReg, form is BpfOp.Jgt or BpfOp.Jle);
        return true;
    }

    private static bool IsInitialPacket(in RegState reg) =>
        reg.Type == RegType.PtrToPacket && reg.Id == 0 && reg.Off == 0 && reg.Var.IsConstEqual(0);

    private static void MarkPacketEnd(VerifierState state, int regno, bool beyond)
    {
        ref var reg = ref state.Cur.Regs[regno];
        if (reg.Type == RegType.PtrToPacket)
        {
            reg.PktRange = beyond ? BeyondPktEnd : AtPktEnd;
        }
    }

    private static void FindGoodPacketPointers(VerifierState state, in RegState data, RegType type, bool open)
    {
        if (data.Off < 0 || (data.Off == 0 && open) || data.Var.UMax > Limits.MaxPacketOff
            || data.Var.UMax + (ulong)data.Off > Limits.MaxPacketOff)
        {
            return;
        }

        var range = data.Off + (open ? 1 : 0);
        for (var i = 0; i <= state.CurFrame; i++)
        {
            var frame = state.Frames[i]!;
            foreach (ref var reg in frame.Regs.AsSpan())
            {
                Widen(ref reg, data.Id);
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot.IsSpill)
                {
                    Widen(ref slot.Spilled, data.Id);
                }
            }
        }

        void Widen(ref RegState reg, int id)
        {
            if (reg.Type == type && reg.Id == id)
            {
                reg.PktRange = Math.Max(reg.PktRange, range);
            }
        }
    }
}
