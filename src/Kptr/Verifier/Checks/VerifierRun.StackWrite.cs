using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Verifier.Precision;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Stores to the stack: bytes, numbers and pointers in slots.</content>
internal sealed partial class VerifierRun
{
    private void WriteStackFixed(FuncState frame, int off, int size, int valueRegno)
    {
        var slot = SlotOf(off);
        ref readonly var insn = ref Insns[InsnIdx];
        if (!AllowPtrLeaks && size != 8 && frame.Stack[slot].IsSpill
            && frame.Stack[slot].Spilled.Type != RegType.Scalar)
        {
            Reject(DiagCode.StackAccessInvalid, "attempt to corrupt spilled pointer on stack", errno: Errno.EACCES);
        }

        DestroyIfDynptrSlot(frame, slot);
        _fastcalls.Use(frame.Subprogno, InsnIdx, off);
        Log.TouchSlot(slot);
        ref var stack = ref frame.Stack[slot];
        if (size == 8)
        {
            frame.Live.WriteSlot(slot);
        }

        var aligned = off % 8 == 0;
        if (valueRegno >= 0 && aligned && Reg(valueRegno).Type == RegType.Scalar && BpfCapable
            && IsKept(Reg(valueRegno)))
        {
            SpillScalar(ref stack, valueRegno, size);
        }
        else if (valueRegno < 0 && aligned && IsStMem(insn) && BpfCapable
            && (Kernel.Profile.DeducesBounds || insn.Imm != 0))
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

    // Numbers of which nothing is known, and zeros, were once plain bytes in a slot.
    private bool IsKept(in RegState reg) => Kernel.Profile.DeducesBounds || (!reg.IsNull
        && (reg.Var.SMin != long.MinValue || reg.Var.SMax != long.MaxValue || reg.Var.UMin != 0
            || reg.Var.UMax != ulong.MaxValue || reg.Var.S32Min != int.MinValue || reg.Var.S32Max != int.MaxValue
            || reg.Var.U32Min != 0 || reg.Var.U32Max != uint.MaxValue));

    private static bool IsStMem(in BpfInsn insn) =>
        insn.Class == InsnClass.St && (insn.Opcode & BpfOp.ModeMask) == BpfOp.Mem;

    private void SpillScalar(ref StackSlot stack, int valueRegno, int size)
    {
        ref var reg = ref Reg(valueRegno);
        var fits = reg.Var.WidthBits <= 8 * size;
        if (fits && Kernel.Profile.DeducesBounds)
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
            Reject(DiagCode.StackAccessInvalid,
                "cannot spill pointers to stack into stack frame of the caller", valueRegno);
        }

        SaveRegister(ref stack, Reg(valueRegno), size);
    }

    private void SaveRegister(ref StackSlot stack, in RegState reg, int size)
    {
        stack.Spilled = reg;

        for (var i = 7; i >= 8 - size; i--)
        {
            stack[i] = SlotKind.Spill;
        }

        for (var i = 7 - size; i >= 0; i--)
        {
            if (stack[i] is not (SlotKind.Invalid or SlotKind.Poison)
                && (stack[i] != SlotKind.Zero || !Kernel.Profile.DeducesBounds))
            {
                stack[i] = SlotKind.Misc;
            }
        }
    }

    private void WriteBytes(ref StackSlot stack, int off, int size, int valueRegno, in BpfInsn insn)
    {
        ScrubSpecial(ref stack);

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

        _fastcalls.Use(frame.Subprogno, InsnIdx, min);

        for (var i = min; i < max; i++)
        {
            ref var stack = ref frame.Stack[SlotOf(i)];
            var at = (-i - 1) & 7;
            Log.TouchSlot(SlotOf(i));
            if (!AllowPtrLeaks && stack[at] is not (SlotKind.Misc or SlotKind.Zero))
            {
                Reject(
                    DiagCode.StackAccessInvalid,
                    $"spilled ptr in range of var-offset stack write; insn {InsnIdx}, ptr off: {i}");
            }

            if (Kernel.Profile.DeducesBounds && zero && stack[at] == SlotKind.Spill
                && stack.IsScalarSpill && stack.Spilled.Var.IsConstEqual(0))
            {
                zeroUsed = true;
                continue;
            }

            if (Kernel.Profile.DeducesBounds)
            {
                ScrubSpecial(ref stack);
            }
            else
            {
                stack.Spilled.Type = RegType.NotInit;
            }

            var stays = zero && stack[at] == SlotKind.Zero;
            zeroUsed |= stays;
            stack[at] = stays ? SlotKind.Zero : SlotKind.Misc;
        }

        if (zeroUsed && valueRegno >= 0)
        {
            MarkChainPrecision(valueRegno);
        }
    }
}
