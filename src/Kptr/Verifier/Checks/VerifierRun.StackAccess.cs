using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <content>The stack: spills and fills of registers, plain bytes, and what helpers may touch.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Index of the slot that holds a (negative) stack offset.</summary>
    public static int SlotOf(int off) => (-off - 1) / 8;

    private void CheckStackAccess(int regno, int off, int size, bool write, int valueRegno)
    {
        ref readonly var reg = ref Reg(regno);
        CheckStackBounds(regno, off, size, write, byHelper: false);
        var frame = Cur.FrameOf(reg);
        if (reg.Var.IsConst)
        {
            var at = off + (int)reg.Var.ConstValue;
            if (write)
            {
                WriteStackFixed(frame, at, size, valueRegno);
            }
            else
            {
                ReadStackFixed(frame, at, size, valueRegno);
            }

            return;
        }

        if (write)
        {
            WriteStackVar(frame, reg, off, size, valueRegno);
            return;
        }

        if (valueRegno < 0)
        {
            Reject(DiagCode.StackAccessInvalid,
                $"variable offset stack pointer cannot be passed into helper function; var_off={Tn(reg)} off={off} size={size}",
                regno, Errno.EACCES);
        }

        CheckStackRangeInitialized(regno, off, size, zeroSizeAllowed: false, byHelper: false, raw: null);
        MarkRegStackRead(frame, (int)reg.Var.SMin + off, (int)reg.Var.SMax + off + size, valueRegno);
        CheckFastcallContract(frame, (int)reg.Var.SMin + off);
    }

    /// <summary>The whole access is inside the frame's 512 bytes; grows what the frame uses.</summary>
    private void CheckStackBounds(int regno, int off, int size, bool write, bool byHelper)
    {
        ref readonly var reg = ref Reg(regno);
        var what = byHelper ? " indirect access to" : write ? " write to" : " read from";
        long min, max;
        if (reg.Var.IsConst)
        {
            min = (long)reg.Var.ConstValue + off;
            max = min + size;
        }
        else
        {
            if (reg.Var.SMax >= Limits.MaxVarOff || reg.Var.SMin <= -Limits.MaxVarOff)
            {
                Reject(DiagCode.StackAccessInvalid, $"invalid unbounded variable-offset{what} stack R{regno}", regno, Errno.EACCES);
            }

            min = reg.Var.SMin + off;
            max = reg.Var.SMax + off + size;
        }

        if (min < -Limits.MaxBpfStack || min > -1 || max > 0 || size < 0)
        {
            Reject(DiagCode.StackAccessInvalid, reg.Var.IsConst
                ? $"invalid{what} stack R{regno} off={off} size={size}"
                : $"invalid variable-offset{what} stack R{regno} var_off={Tn(reg)} off={off} size={size}", regno, Errno.EACCES);
        }

        GrowStack(Cur.FrameOf(reg), (int)-min);
    }

    public void GrowStack(FuncState frame, int bytes)
    {
        var slots = (bytes + 7) / 8;
        if (frame.SlotCount >= slots)
        {
            return;
        }

        frame.GrowStack(slots);
        var sub = Subprogs[frame.Subprogno];
        sub.StackDepth = Math.Max(sub.StackDepth, slots * 8);
    }

    private static bool IsSpillable(RegType type) => type.Base()
        is RegType.PtrToMapValue or RegType.PtrToStack or RegType.PtrToCtx or RegType.PtrToPacket or RegType.PtrToPacketMeta
        or RegType.PtrToPacketEnd or RegType.PtrToFlowKeys or RegType.ConstPtrToMap or RegType.PtrToSocket
        or RegType.PtrToSockCommon or RegType.PtrToTcpSock or RegType.PtrToXdpSock or RegType.PtrToBtfId or RegType.PtrToBuf
        or RegType.PtrToMem or RegType.PtrToFunc or RegType.PtrToMapKey or RegType.PtrToArena;

    private void WriteStackFixed(FuncState frame, int off, int size, int valueRegno)
    {
        var slot = SlotOf(off);
        ref readonly var insn = ref Insns[InsnIdx];
        DestroyIfDynptrSlot(frame, slot);
        CheckFastcallContract(frame, off);
        Log.TouchSlot(slot);
        ref var stack = ref frame.Stack[slot];
        var aligned = off % 8 == 0;
        if (valueRegno >= 0 && aligned && Reg(valueRegno).Type == RegType.Scalar && BpfCapable)
        {
            SpillScalar(ref stack, valueRegno, size);
        }
        else if (valueRegno < 0 && aligned && IsStMem(insn) && BpfCapable)
        {
            var constant = default(RegState);
            constant.MarkKnown((ulong)insn.Imm);
            constant.Type = RegType.Scalar;
            SaveRegister(ref stack, constant, size);
        }
        else if (valueRegno >= 0 && IsSpillable(Reg(valueRegno).Type))
        {
            SpillPointer(frame, ref stack, valueRegno, size);
        }
        else
        {
            WriteBytes(ref stack, off, size, valueRegno, insn);
            return;
        }

        PushInsnHistory(HistFlags.Access(frame.Frameno, slot), 0);
    }

    private static bool IsStMem(in BpfInsn insn) => insn.Class == InsnClass.St && (insn.Opcode & BpfOp.ModeMask) == BpfOp.Mem;

    private void SpillScalar(ref StackSlot stack, int valueRegno, int size)
    {
        ref var reg = ref Reg(valueRegno);
        var fits = reg.Var.WidthBits <= 8 * size;
        if (fits)
        {
            AssignScalarId(ref reg);
        }

        SaveRegister(ref stack, reg, size);
        if (!fits)
        {
            stack.Spilled.Id = 0;
        }
    }

    private void SpillPointer(FuncState frame, ref StackSlot stack, int valueRegno, int size)
    {
        if (size != 8)
        {
            Reject(DiagCode.StackAccessInvalid, "invalid size of register spill", valueRegno, Errno.EACCES);
        }

        if (frame != Cur.Cur && Reg(valueRegno).Type == RegType.PtrToStack)
        {
            Reject(DiagCode.StackAccessInvalid, "cannot spill pointers to stack into stack frame of the caller", valueRegno);
        }

        SaveRegister(ref stack, Reg(valueRegno), size);
    }

    private static void SaveRegister(ref StackSlot stack, in RegState reg, int size)
    {
        stack.Spilled.CopyFrom(reg);
        if (size == 8)
        {
            stack.Spilled.Live |= LiveMarks.Written;
        }

        for (var i = 7; i >= 8 - size; i--)
        {
            stack[i] = SlotKind.Spill;
        }

        for (var i = 7 - size; i >= 0; i--)
        {
            if (stack[i] is not (SlotKind.Zero or SlotKind.Invalid))
            {
                stack[i] = SlotKind.Misc;
            }
        }
    }

    private void WriteBytes(ref StackSlot stack, int off, int size, int valueRegno, in BpfInsn insn)
    {
        ScrubSpecial(ref stack);
        if (size == 8)
        {
            stack.Spilled.Live |= LiveMarks.Written;
        }

        var kind = SlotKind.Misc;
        if (valueRegno >= 0 ? Reg(valueRegno).IsNull : IsStMem(insn) && insn.Imm == 0)
        {
            if (valueRegno >= 0)
            {
                MarkChainPrecision(valueRegno);
            }

            kind = SlotKind.Zero;
        }

        for (var i = 0; i < size; i++)
        {
            stack[(-off - 1 - i) & 7] = kind;
        }
    }

    private static void ScrubSpecial(ref StackSlot stack)
    {
        stack.Spilled.Type = RegType.NotInit;
        if (stack.IsSpecial)
        {
            stack.ScrubSpill();
        }
    }

    private void WriteStackVar(FuncState frame, in RegState ptr, int off, int size, int valueRegno)
    {
        int min = (int)ptr.Var.SMin + off, max = (int)ptr.Var.SMax + off + size;
        ref readonly var insn = ref Insns[InsnIdx];
        var zero = valueRegno >= 0 ? Reg(valueRegno).IsNull : IsStMem(insn) && insn.Imm == 0;
        var zeroUsed = false;
        for (var i = min; i < max; i++)
        {
            DestroyIfDynptrSlot(frame, SlotOf(i));
        }

        CheckFastcallContract(frame, min);

        for (var i = min; i < max; i++)
        {
            ref var stack = ref frame.Stack[SlotOf(i)];
            var at = (-i - 1) & 7;
            Log.TouchSlot(SlotOf(i));
            if (zero && stack[at] == SlotKind.Spill && stack.IsScalarSpill && stack.Spilled.Var.IsConstEqual(0))
            {
                zeroUsed = true;
                continue;
            }

            ScrubSpecial(ref stack);
            var stays = zero && stack[at] == SlotKind.Zero;
            zeroUsed |= stays;
            stack[at] = stays ? SlotKind.Zero : SlotKind.Misc;
        }

        if (zeroUsed && valueRegno >= 0)
        {
            MarkChainPrecision(valueRegno);
        }
    }

    private void ReadStackFixed(FuncState frame, int off, int size, int dstRegno)
    {
        var slot = SlotOf(off);
        ref var stack = ref frame.Stack[slot];
        Log.TouchSlot(slot);
        CheckFastcallContract(frame, off);
        bool isFill;
        if (stack.IsSpill)
        {
            isFill = FillFromSpill(frame, slot, off, size, dstRegno);
        }
        else
        {
            for (var i = 0; i < size; i++)
            {
                var kind = stack[(-off - 1 - i) & 7];
                if (kind is not (SlotKind.Misc or SlotKind.Zero) && !(kind == SlotKind.Invalid && AllowUninitStack))
                {
                    RejectStackRead(off, i, size);
                }
            }

            MarkSlotRead(frame, slot);
            if (dstRegno >= 0)
            {
                MarkRegStackRead(frame, off, off + size, dstRegno);
            }

            isFill = false;
        }

        if (isFill)
        {
            PushInsnHistory(HistFlags.Access(frame.Frameno, slot), 0);
        }
    }

    private void RejectStackRead(int off, int i, int size) => Reject(DiagCode.StackAccessInvalid,
        $"invalid read from stack off {off}+{i} size {size}", errno: Errno.EACCES);

    /// <returns>Whether the register spilled came back.</returns>
    private bool FillFromSpill(FuncState frame, int slot, int off, int size, int dstRegno)
    {
        ref var stack = ref frame.Stack[slot];
        var spillSize = 1;
        for (var i = 7; i > 0 && stack[i - 1] == SlotKind.Spill; i--)
        {
            spillSize++;
        }

        if (size == 8 && spillSize == 8)
        {
            if (dstRegno >= 0)
            {
                Reg(dstRegno).CopyFrom(stack.Spilled);
                Reg(dstRegno).Live |= LiveMarks.Written;
            }

            MarkSlotRead(frame, slot);
            return true;
        }

        if (stack.Spilled.Type != RegType.Scalar)
        {
            Reject(DiagCode.StackAccessInvalid, "invalid size of register fill", errno: Errno.EACCES);
        }

        MarkSlotRead(frame, slot);
        if (dstRegno < 0)
        {
            return false;
        }

        ref var dst = ref Reg(dstRegno);
        var isFill = true;
        if (size <= spillSize && off % 8 == 0)
        {
            dst.CopyFrom(stack.Spilled);
            if (stack.Spilled.Var.WidthBits > size * 8)
            {
                ClearScalarId(ref dst);
            }
        }
        else
        {
            isFill = FillMixed(stack, off, size, ref dst);
        }

        dst.Live |= LiveMarks.Written;
        return isFill;
    }

    private bool FillMixed(in StackSlot stack, int off, int size, ref RegState dst)
    {
        int spills = 0, zeros = 0;
        for (var i = 0; i < size; i++)
        {
            switch (stack[(-off - 1 - i) & 7])
            {
                case SlotKind.Spill:
                    spills++;
                    break;
                case SlotKind.Zero:
                    zeros++;
                    break;
                case SlotKind.Misc:
                    break;
                case SlotKind.Invalid when AllowUninitStack:
                    break;
                default:
                    RejectStackRead(off, i, size);
                    break;
            }
        }

        if (spills == size && stack.Spilled.Var.IsConstEqual(0))
        {
            MarkConstZero(ref dst);
            return true;
        }

        if (zeros == size)
        {
            MarkConstZero(ref dst);
        }
        else
        {
            dst.MarkUnknown(AlwaysPrecise);
        }

        return false;
    }

    private void MarkConstZero(ref RegState reg)
    {
        reg.MarkKnown(0);
        reg.Type = RegType.Scalar;
        reg.Precise = AlwaysPrecise;
    }

    private void MarkRegStackRead(FuncState frame, int min, int max, int dstRegno)
    {
        var zeros = true;
        for (var i = min; i < max && zeros; i++)
        {
            Log.TouchSlot(SlotOf(i));
            zeros = frame.Stack[SlotOf(i)][(-i - 1) & 7] == SlotKind.Zero;
        }

        ref var dst = ref Reg(dstRegno);
        if (zeros)
        {
            MarkConstZero(ref dst);
        }
        else
        {
            dst.MarkUnknown(AlwaysPrecise);
        }

        dst.Live |= LiveMarks.Written;
    }

    /// <summary>
    /// The stack bytes a helper reads are initialised, or become so if it fills them
    /// (<c>check_stack_range_initialized</c>).
    /// </summary>
    /// <remarks><c>raw</c>: Where to note memory that may be uninitialised; null if it must not.</remarks>
    public void CheckStackRangeInitialized(int regno, int off, int size, bool zeroSizeAllowed, bool byHelper, RawStackArg? raw)
    {
        if (size == 0 && !zeroSizeAllowed)
        {
            Reject(DiagCode.StackAccessInvalid, "invalid zero-sized read", regno, Errno.EACCES);
        }

        CheckStackBounds(regno, off, size, write: byHelper, byHelper);
        ref readonly var reg = ref Reg(regno);
        var frame = Cur.FrameOf(reg);
        int min, max;
        if (reg.Var.IsConst)
        {
            min = max = (int)reg.Var.ConstValue + off;
        }
        else
        {
            raw = null;
            min = (int)reg.Var.SMin + off;
            max = (int)reg.Var.SMax + off;
        }

        if (raw is { RawMode: true })
        {
            CheckNoDynptrIn(frame, min, max + size);
            raw.AccessSize = size;
            raw.Regno = regno;
            return;
        }

        for (var i = min; i < max + size; i++)
        {
            if (!TryReadByte(frame, i, byHelper))
            {
                var indirect = byHelper ? " indirect" : "";
                Reject(DiagCode.StackAccessInvalid, reg.Var.IsConst
                    ? $"invalid{indirect} read from stack R{regno} off {min}+{i - min} size {size}"
                    : $"invalid{indirect} read from stack R{regno} var_off {Tn(reg)}+{i - min} size {size}", regno, Errno.EACCES);
            }

            MarkSlotRead(frame, SlotOf(i));
        }
    }

    private void CheckNoDynptrIn(FuncState frame, int min, int max)
    {
        for (var i = min; i < max; i++)
        {
            if (SlotOf(i) < frame.SlotCount && frame.Stack[SlotOf(i)][(-i - 1) & 7] == SlotKind.Dynptr)
            {
                Reject(DiagCode.StackAccessInvalid, $"potential write to dynptr at off={i} disallowed", errno: Errno.EACCES);
            }
        }
    }

    /// <summary>Whether one stack byte may be read; a helper may also have overwritten it.</summary>
    private bool TryReadByte(FuncState frame, int i, bool clobber)
    {
        ref var stack = ref frame.Stack[SlotOf(i)];
        var at = (-i - 1) & 7;
        var kind = stack[at];
        if (kind == SlotKind.Misc)
        {
            return true;
        }

        if (kind == SlotKind.Zero || (kind == SlotKind.Invalid && AllowUninitStack))
        {
            if (clobber)
            {
                stack[at] = SlotKind.Misc;
            }

            return true;
        }

        if (!stack.IsSpill || (stack.Spilled.Type != RegType.Scalar && !AllowPtrLeaks))
        {
            return false;
        }

        if (clobber)
        {
            stack.Spilled.MarkUnknown(AlwaysPrecise);
            stack.ScrubSpill();
        }

        return true;
    }
}
