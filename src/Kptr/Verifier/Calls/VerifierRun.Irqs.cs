using Kptr.Diagnostics;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Interrupts that are switched off, and what was saved of them on the stack.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Kernel: <c>process_irq_flag</c> (kernel/bpf/verifier.c, 7.2).</summary>
    private void ProcessIrqFlag(int i, KfuncInfo fn)
    {
        var regno = i + 1;
        ref readonly var reg = ref Reg(regno);
        if (reg.Type != RegType.PtrToStack)
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} doesn't point to an irq flag on stack", regno);
        }

        var ofLock = fn.LockKindOf is not null;
        if (fn.IsLock || fn.Special == SpecialKfunc.IrqSave)
        {
            SaveIrqs(i, ofLock);
        }
        else
        {
            RestoreIrqs(i, ofLock);
        }
    }

    private void SaveIrqs(int i, bool ofLock)
    {
        ref readonly var reg = ref Reg(i + 1);
        var spi = StackObjectSpi(reg, "irq_flag", 1);
        if (spi == Misplaced || (spi >= 0 && HoldsIrqFlag(Cur.FrameOf(reg).Stack[spi])))
        {
            Reject(DiagCode.IrqFlagInvalid, $"expected uninitialized irq flag as {ArgName(i)}", i + 1);
        }

        CheckMemAccess(i + 1, 0, 8, write: true, valueRegno: -1);
        spi = StackObjectSpi(reg, "irq_flag", 1);
        Invariant.That(spi >= 0, "flags were saved outside of the stack");
        var saved = new IrqSave(NewId(), InsnIdx, Cur.IrqsOff);
        Cur.IrqsOff = saved;
        ref var slot = ref Cur.FrameOf(reg).Stack[spi];
        slot.Spilled.MarkKnownZero(RegType.PtrToStack);
        slot.Spilled.Id = saved.Id;
        slot.Spilled.IrqOfLock = ofLock;
        Cur.FrameOf(reg).Live.WriteSlot(spi);
        slot.SetAll(SlotKind.IrqFlag);
        Log.TouchSlot(spi);
    }

    private static bool HoldsIrqFlag(in StackSlot slot)
    {
        for (var b = 0; b < 8; b++)
        {
            if (slot[b] == SlotKind.IrqFlag)
            {
                return true;
            }
        }

        return false;
    }

    private void RestoreIrqs(int i, bool ofLock)
    {
        ref readonly var reg = ref Reg(i + 1);
        var frame = Cur.FrameOf(reg);
        var spi = StackObjectSpi(reg, "irq_flag", 1);
        if (spi < 0 || !frame.Stack[spi].AllBytes(SlotKind.IrqFlag))
        {
            Reject(DiagCode.IrqFlagInvalid, $"expected an initialized irq flag as {ArgName(i)}", i + 1);
        }

        LiveReads.MarkSlot(frame, spi);
        Log.TouchSlot(spi);
        ref var slot = ref frame.Stack[spi];
        if (slot.Spilled.IrqOfLock != ofLock)
        {
            Reject(DiagCode.IrqFlagInvalid, $"irq flag acquired by {(ofLock ? "native" : "lock")} kfuncs cannot be "
                + $"restored with {(ofLock ? "lock" : "native")} kfuncs", i + 1);
        }

        if (Cur.IrqsOff is not { } last || last.Id != slot.Spilled.Id)
        {
            Reject(DiagCode.IrqFlagInvalid, "cannot restore irq state out of order, expected "
                + $"id={Cur.IrqsOff?.Id ?? 0} acquired at insn_idx={Cur.IrqsOff?.InsnIdx ?? 0}", i + 1, Errno.EACCES);
            return;
        }

        Cur.IrqsOff = last.Outer;
        slot.Spilled.MarkNotInit();
        frame.Live.WriteSlot(spi);
        slot.SetAll(SlotKind.Invalid);
    }
}
