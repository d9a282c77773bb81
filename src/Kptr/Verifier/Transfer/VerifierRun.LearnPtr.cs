using Kptr.Isa;
using Kptr.Verifier.Scalars;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>What a comparison tells of pointers: null or not, and how much of a packet is there.</content>
internal sealed partial class VerifierRun
{
    private void LearnNullness(
        in BpfInsn insn, byte op, bool isReg, bool is32, VerifierState other, ref RegState dst, ref RegState src)
    {
        var isEquality = !is32 && (op is BpfOp.Jeq or BpfOp.Jne);
        if (Kernel.Profile.LearnsNullFromPointers && isEquality && isReg
            && src.Type != RegType.Scalar && dst.Type != RegType.Scalar
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

        var isNull = isReg ? Kernel.Profile.ComparesWithNullRegisters && src.IsNull : insn.Imm == 0;
        if (isEquality && isNull && dst.Type.MayBeNull())
        {
            if (isReg)
            {
                MarkChainPrecision(insn.Src);
            }

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

    /// <summary>A pointer outlives the reference that it was.</summary>
    private void ForgetRef(ref RegState reg)
    {
        reg.Id = Kernel.Profile.KeepsIdsOfNonNull ? 0 : reg.Id;
        reg.RefObjId = 0;
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
        if (!Kernel.Profile.KeepsIdsOfNonNull && !RecordOf(reg).Has(AnyLock))
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
